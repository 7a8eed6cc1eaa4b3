const MAGIC = Buffer.from("k8s\0");

/** A Secret as Helm sends it: Helm stores each release revision in one, and encodes it as protobuf. */
interface ReleaseSecret {
    metadata: { name: string; labels: Record<string, string> };
    /** Base64, as in JSON. */
    data: Record<string, string>;
    type: string;
}

/** Decodes a request body in Kubernetes' protobuf encoding; undefined for another encoding. */
export function parseProtobufSecret(body: Buffer): ReleaseSecret | undefined {
    if (!body.subarray(0, MAGIC.length).equals(MAGIC)) return undefined;
    const object = fieldsOf(fieldsOf(body.subarray(MAGIC.length)).get(2)?.[0]);
    const metadata = fieldsOf(object.get(1)?.[0]);
    return {
        metadata: { name: text(metadata.get(1)), labels: mapOf(metadata.get(11), "utf8") },
        data: mapOf(object.get(2), "base64"),
        type: text(object.get(3)),
    };
}

function mapOf(entries: Uint8Array[] = [], encoding: BufferEncoding): Record<string, string> {
    return Object.fromEntries(
        entries.map((entry) => {
            const fields = fieldsOf(entry);
            return [text(fields.get(1)), text(fields.get(2), encoding)];
        }),
    );
}

function text(values: Uint8Array[] = [], encoding: BufferEncoding = "utf8"): string {
    return Buffer.from(values[0] ?? "").toString(encoding);
}

/** The length-delimited fields of a protobuf message, by field number. */
function fieldsOf(message: Uint8Array = new Uint8Array()): Map<number, Uint8Array[]> {
    const fields = new Map<number, Uint8Array[]>();
    let position = 0;
    const varint = () => {
        let [value, shift] = [0, 1];
        for (;;) {
            const byte = message[position++] ?? 0;
            value += (byte & 127) * shift;
            shift *= 128;
            if (byte < 128) return value;
        }
    };
    while (position < message.length) {
        const tag = varint();
        if (tag % 8 === 0) varint();
        else if (tag % 8 === 2) {
            const length = varint();
            const number = Math.floor(tag / 8);
            fields.set(number, [...(fields.get(number) ?? []), message.subarray(position, position + length)]);
            position += length;
        } else position += tag % 8 === 1 ? 8 : 4;
    }
    return fields;
}
