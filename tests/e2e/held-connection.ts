import type { CoreV1Api, V1Container, V1Pod } from "@kubernetes/client-node";
import { expect } from "vitest";
import { until } from "../../packages/lab/process/until.ts";
import { nodeOf, type RealLab } from "./real-lab.ts";

const NAMESPACE = "default";
const PORT = 8080;
const START_MILLISECONDS = 60_000;
/** Number of further answers that prove that bytes still flow. */
const MORE_ANSWERS = 10;

/**
 * Sends ten requests per second over one connection and exits when that breaks; `$1` and `$2` are the server's address and port. Writes the number of answers
 * and the longest time between two of them, in microseconds, to a file.
 */
const CLIENT_SCRIPT = `
exec 3<>"/dev/tcp/$1/$2" || exit 1
answers=0 longest=0 last=\${EPOCHREALTIME/./}
while :; do
    printf 'GET /hostname HTTP/1.1\\r\\nHost: server\\r\\n\\r\\n' >&3 || exit 1
    length=0
    while :; do
        IFS= read -r line <&3 || exit 1
        line=\${line%$'\\r'}
        [ -n "$line" ] || break
        case \${line,,} in content-length:*) length=\${line#*: } ;; esac
    done
    IFS= read -r -N "$length" body <&3 || exit 1
    now=\${EPOCHREALTIME/./} answers=$((answers + 1))
    [ $((now - last)) -gt $longest ] && longest=$((now - last))
    last=$now
    echo "$answers $longest" > /tmp/answers.new && mv /tmp/answers.new /tmp/answers
    sleep 0.1
done
`;

/** One end of a connection. */
export interface End {
    cluster: string;
    node: string;
}

/** A connection between pods of two clusters. */
export interface HeldConnection {
    /**
     * Asserts that the connection has never broken and that bytes still flow.
     *
     * @returns the longest time without an answer, in seconds
     */
    assertOpen(): Promise<number>;
}

/** Connects two pods by IP for the lifetime of the lab. They run on the second node of each cluster, which the tests do not touch. */
export async function holdConnection(real: RealLab, client: string, server: string): Promise<HeldConnection> {
    const [from, to] = [
        { cluster: client, node: await nodeOf(real, client, 1) },
        { cluster: server, node: await nodeOf(real, server, 1) },
    ];
    return connect(real, from, to);
}

async function connect({ core, clients }: RealLab, from: End, to: End): Promise<HeldConnection> {
    const server = await startPod(core(to.cluster), "server", to.node, {
        name: "server",
        image: "registry.k8s.io/e2e-test-images/agnhost:2.53",
        args: ["netexec", `--http-port=${PORT}`],
        readinessProbe: { httpGet: { path: "/hostname", port: PORT }, periodSeconds: 1 },
    });
    const command = ["bash", "-c", CLIENT_SCRIPT, "ask", server.status?.podIP ?? "", `${PORT}`];
    const ready = { exec: { command: ["test", "-s", "/tmp/answers"] }, periodSeconds: 1 };
    const client = await startPod(core(from.cluster), "client", from.node, {
        name: "client",
        image: "busybox",
        command,
        readinessProbe: ready,
    });

    const readCounts = async () => {
        const container = { namespace: NAMESPACE, pod: "client", container: "client" };
        const [answers = 0, longest = 0] = (await clients().exec(from.cluster, container, ["cat", "/tmp/answers"])).split(" ").map(Number);
        return { answers, longest };
    };
    return {
        async assertOpen() {
            const before = await readCounts();
            const after = async () => {
                const now = await readCounts();
                return now.answers >= before.answers + MORE_ANSWERS ? now : undefined;
            };
            const { longest } = await until(after, 30_000, "no bytes flow on the held connection");
            const { status, metadata } = await core(from.cluster).readNamespacedPod({ name: "client", namespace: NAMESPACE });
            expect(metadata?.uid).toBe(client.metadata?.uid);
            expect(status).toMatchObject({ phase: "Running", containerStatuses: [{ restartCount: 0 }] });
            return longest / 1e6;
        },
    };
}

/**
 * Starts a pod on a node; its container is never restarted.
 *
 * @returns the pod, once it is ready
 */
async function startPod(core: CoreV1Api, name: string, node: string, container: V1Container): Promise<V1Pod> {
    const place = { nodeSelector: { "kubernetes.io/hostname": node }, tolerations: [{ operator: "Exists" }] };
    const spec = { ...place, restartPolicy: "Never", terminationGracePeriodSeconds: 0, containers: [container] };
    await core.createNamespacedPod({ namespace: NAMESPACE, body: { metadata: { name }, spec } });
    const ready = async () => {
        const pod = await core.readNamespacedPod({ name, namespace: NAMESPACE });
        return pod.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") ? pod : undefined;
    };
    return until(ready, START_MILLISECONDS, `pod ${name} is not ready`);
}
