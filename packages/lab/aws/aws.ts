import { autoscaling, groups, instances } from "./autoscaling.ts";
import { EC2_TABLES, ec2 } from "./ec2/ec2.ts";
import { backedEks, EKS_TABLES, eks } from "./eks/eks.ts";
import { elb } from "./elb/elb.ts";
import { ELB_TABLES } from "./elb/tables.ts";
import { iam, policies, roles } from "./iam/iam.ts";
import { identityProviders } from "./iam/oidc.ts";
import { sts } from "./iam/sts.ts";
import { aliases, keys, kms } from "./kms.ts";
import { logGroups, logs } from "./logs.ts";
import { ram, resourceShares } from "./ram.ts";
import { Simulation, type SimulationOptions } from "./simulation.ts";

/** The services that there are. A new one is entered here, and its tables below. */
const SERVICES = { ec2, ram, iam, kms, logs, sts, elb, autoscaling, eks };

/** All tables whose rows must be gone after the last destroy. */
export const ALL_TABLES = [
    ...EC2_TABLES.map(({ table }) => table),
    ...[resourceShares, roles, policies, identityProviders, keys, aliases, logGroups, groups, instances],
    ...ELB_TABLES,
    ...EKS_TABLES,
];

/** A simulated AWS with all services that the lab has. */
export type SimulatedAws = Simulation<typeof SERVICES>;

/** Makes one, or takes up the one in `file`. With `backed` someone must make its EKS clusters, by `serveEks`. */
export function simulatedAws({ backed = false, ...options }: SimulationOptions & { backed?: boolean } = {}): SimulatedAws {
    return new Simulation(backed ? { ...SERVICES, eks: backedEks } : SERVICES, options);
}
