import { writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { reportJunit } from "../../core/verify/junit.ts";
import { allPassed, PARTS, type Part, VerifyReport } from "../../core/verify/report.ts";
import { reportTable } from "../../core/verify/table.ts";
import { type Command, didYouMean, numberOption, UsageError } from "../command.ts";
import { choose } from "./up.ts";

/** Proves the mesh. */
export const verify: Command<VerifyReport> = {
    name: "verify",
    summary: "proves the mesh by packets and answers, or says which pair fails and why",
    details: [
        "Node lists and readiness of every agent; every ordered pair of clusters by pod IP, the address that arrives and the round trip; large requests;",
        "global services, local affinity, failover; a network policy across clusters. Test pods run in a namespace of their own, which is removed again.",
    ].join("\n"),
    options: {
        only: {
            type: "string",
            multiple: true,
            value: "<part>",
            help: `${PARTS.join(", ")}; may be repeated (default: all; agents alone makes nothing in the clusters)`,
        },
        junit: { type: "string", value: "<file>", help: "writes the report there as JUnit XML too" },
        image: { type: "string", value: "<image>", help: "of the test pods: agnhost, with a shell and curl" },
        port: { type: "string", value: "<n>", help: "where test pods listen; the mesh's ingress must admit it (default 8080)" },
        nodes: { type: "string", value: "<n>", help: "nodes of each cluster on which test pods run (default 3)" },
        settle: { type: "string", value: "<s>", help: "seconds that the mesh is given to synchronise or to fail over (default 60)" },
    },
    report: VerifyReport,
    async run(context, options, operands) {
        const only = ((options.only ?? []) as string[]).map(part);
        const numbers = {
            port: numberOption(options, "port"),
            nodesPerCluster: numberOption(options, "nodes"),
            settleSeconds: numberOption(options, "settle", 0),
        };
        const { plan } = choose(context, operands, { fit: false });
        const [{ deployedMembers, readDeployed }, { verify: prove }] = await Promise.all([
            import("../engine/deployed.ts"),
            import("../verify.ts"),
        ]);
        const { members, problems } = deployedMembers(await readDeployed(plan, context));
        if (members.length < 2) throw new Error(["there is no deployed mesh to verify", ...problems].join("\n"));
        const kubeconfigs = Object.fromEntries(members.map(({ name, kubeconfig }) => [name, kubeconfig]));
        const given = Object.fromEntries(Object.entries(numbers).filter(([, value]) => value !== undefined));
        const report = await prove(kubeconfigs, {
            ...given,
            ...(only.length > 0 && { only }),
            ...(typeof options.image === "string" && { image: options.image }),
            signal: context.signal,
            log: context.log,
        });
        if (typeof options.junit === "string") writeFileSync(resolve(context.folder, options.junit), reportJunit(report));
        return { code: allPassed(report) ? 0 : 1, report, text: reportTable(report) };
    },
};

function part(name: string): Part {
    const found = PARTS.find((one) => one === name);
    if (!found) throw new UsageError(`--only ${name} is no part of verify${didYouMean(name, PARTS)}`);
    return found;
}
