import { createHash } from "node:crypto";
import type { Duplex } from "node:stream";

/** RFC 6455, section 1.3. */
const HANDSHAKE = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const FIN = 0x80;
const OPCODE = { text: 1, binary: 2, close: 8, ping: 9, pong: 10 };
const NORMAL_CLOSURE = Buffer.from([0x03, 0xe8]);

/** The server's side of a WebSocket. */
export interface WebSocket {
    send(payload: Buffer): void;
    close(): void;
}

/**
 * Accepts an upgrade request and answers the client's pings.
 *
 * @param receive takes the client's messages. A message in several frames closes the connection
 */
export function acceptWebSocket(socket: Duplex, key: string, protocol: string, receive: (payload: Buffer) => void): WebSocket {
    const accept = createHash("sha1").update(`${key}${HANDSHAKE}`).digest("base64");
    socket.write(
        [
            "HTTP/1.1 101 Switching Protocols",
            "Upgrade: websocket",
            "Connection: Upgrade",
            `Sec-WebSocket-Accept: ${accept}`,
            `Sec-WebSocket-Protocol: ${protocol}`,
            "\r\n",
        ].join("\r\n"),
    );
    const write = (opcode: number, payload: Buffer) => {
        if (socket.writable) socket.write(Buffer.concat([header(opcode, payload.length), payload]));
    };
    let pending = Buffer.alloc(0);
    socket.on("data", (chunk: Buffer) => {
        pending = Buffer.concat([pending, chunk]);
        for (let frame = readFrame(pending); frame; frame = readFrame(pending)) {
            pending = pending.subarray(frame.end);
            if (!frame.whole) return socket.destroy();
            if (frame.opcode === OPCODE.text || frame.opcode === OPCODE.binary) receive(frame.payload);
            if (frame.opcode === OPCODE.ping) write(OPCODE.pong, frame.payload);
            if (frame.opcode === OPCODE.close) socket.end();
        }
    });
    // A client may disconnect in the middle of an answer.
    socket.on("error", () => socket.destroy());
    return {
        send: (payload) => write(OPCODE.binary, payload),
        close() {
            write(OPCODE.close, NORMAL_CLOSURE);
            socket.end();
        },
    };
}

function header(opcode: number, length: number): Buffer {
    if (length < 126) return Buffer.from([FIN | opcode, length]);
    const long = length > 0xffff;
    const bytes = Buffer.alloc(long ? 10 : 4);
    bytes[0] = FIN | opcode;
    bytes[1] = long ? 127 : 126;
    if (long) bytes.writeBigUInt64BE(BigInt(length), 2);
    else bytes.writeUInt16BE(length, 2);
    return bytes;
}

/** Reads the first frame. @returns undefined while it is incomplete */
function readFrame(bytes: Buffer): { opcode: number; whole: boolean; payload: Buffer; end: number } | undefined {
    if (bytes.length < 2) return undefined;
    const short = bytes.readUInt8(1) & 0x7f;
    const extended = short === 127 ? 8 : short === 126 ? 2 : 0;
    const first = bytes.readUInt8(0);
    const masked = (bytes.readUInt8(1) & 0x80) !== 0;
    const start = 2 + extended + (masked ? 4 : 0);
    if (bytes.length < start) return undefined;
    const length = extended === 8 ? Number(bytes.readBigUInt64BE(2)) : extended === 2 ? bytes.readUInt16BE(2) : short;
    if (bytes.length < start + length) return undefined;
    const mask = bytes.subarray(start - 4, start);
    const payload = Buffer.from(bytes.subarray(start, start + length));
    if (masked) for (let i = 0; i < length; i++) payload[i] = payload.readUInt8(i) ^ mask.readUInt8(i % 4);
    return { opcode: first & 0x0f, whole: (first & FIN) !== 0 && (first & 0x0f) !== 0, payload, end: start + length };
}
