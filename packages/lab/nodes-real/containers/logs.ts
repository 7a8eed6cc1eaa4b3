import { type FileHandle, open } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";

const POLL_MILLISECONDS = 200;
const CHUNK = 64 * 1024;

interface LogOptions {
    /** Only this many last lines. @default all */
    tailLines?: number;
    limitBytes?: number;
    /** Whether more output may follow. Reading continues until it returns false. @default reads to the end of the file */
    follow?: () => boolean;
    signal: AbortSignal;
}

/** Reads a container's output, and follows it if asked to. */
export async function* readLog(
    file: string,
    { tailLines, limitBytes = Number.POSITIVE_INFINITY, follow, signal }: LogOptions,
): AsyncGenerator<Buffer> {
    const handle = await open(file);
    try {
        let position = tailLines === undefined ? 0 : await startOfTail(handle, tailLines);
        let left = limitBytes;
        while (!signal.aborted && left > 0) {
            // Checked before the read, so that output written in between is still read.
            const mayGrow = follow?.() ?? false;
            const { bytesRead, buffer } = await handle.read(Buffer.alloc(Math.min(CHUNK, left)), 0, undefined, position);
            position += bytesRead;
            left -= bytesRead;
            if (bytesRead > 0) yield buffer.subarray(0, bytesRead);
            else if (mayGrow) await sleep(POLL_MILLISECONDS);
            else return;
        }
    } finally {
        await handle.close();
    }
}

async function startOfTail(handle: FileHandle, lines: number): Promise<number> {
    const text = await handle.readFile();
    if (lines <= 0) return text.length;
    // The newline at the end of the last line does not start another one.
    let start = text.length - 1;
    for (let found = 0; found < lines && start > 0; found++) start = text.lastIndexOf(0x0a, start - 1);
    return start <= 0 ? 0 : start + 1;
}
