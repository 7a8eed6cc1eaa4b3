import { autoscaling, groups, instances } from "./autoscaling.ts";
import { EC2_TABLES, ec2 } from "./ec2/ec2.ts";
import { backedEks, EKS_TABLES, eks } from "./eks/eks.ts";
import { elb } from "./elb/elb.ts";
import { ELB_TABLES } from "./elb/tables.ts";
import { iam } from "./iam/iam.ts";
import { identityProviders } from "./iam/oidc-providers.ts";
import { sts } from "./iam/sts.ts";
import { policies, roles } from "./iam/tables.ts";
import { aliases, keys, kms } from "./kms.ts";
import { logGroups, logs } from "./logs.ts";
import { ram, resourceShares } from "./ram.ts";
import { Simulation, type SimulationOptions } from "./simulation.ts";

/** All services. Add a new one here and its tables to `ALL_TABLES`. */
const SERVICES = { ec2, ram, iam, kms, logs, sts, elb, autoscaling, eks };

/** All tables that must be empty after the last destroy. */
export const ALL_TABLES = [
    ...EC2_TABLES.map(({ table }) => table),
    ...[resourceShares, roles, policies, identityProviders, keys, aliases, logGroups, groups, instances],
    ...ELB_TABLES,
    ...EKS_TABLES,
];

/** A simulated AWS with all services of the lab. */
export type SimulatedAws = Simulation<typeof SERVICES>;

/**
 * Creates a simulated AWS, or loads the one stored in `options.file`.
 *
 * @param options.backed EKS clusters stay CREATING until `serveEks` runs them on a backend. Default: false
 */
export function simulatedAws({ backed = false, ...options }: SimulationOptions & { backed?: boolean } = {}): SimulatedAws {
    return new Simulation(backed ? { ...SERVICES, eks: backedEks } : SERVICES, options);
}
