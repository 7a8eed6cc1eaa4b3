import { AwsError } from "../error.ts";
import type { Scope } from "../scope.ts";
import { Table } from "../table.ts";

export type Tags = Record<string, string>;
/** The problems of a resource. */
export interface Health {
    issues: { code: string; message: string; resourceIds: string[] }[];
}

/** EKS's fields are in camelCase, so the simulation's own fields are in `own`, which is never shown. */
export interface Cluster {
    name: string;
    arn: string;
    createdAt: string;
    version: string;
    platformVersion: string;
    status: "CREATING" | "ACTIVE" | "UPDATING" | "DELETING" | "FAILED";
    roleArn: string;
    endpoint?: string;
    certificateAuthority?: { data: string };
    identity: { oidc: { issuer: string } };
    resourcesVpcConfig: VpcConfig & { vpcId: string; clusterSecurityGroupId: string };
    kubernetesNetworkConfig: { serviceIpv4Cidr: string; ipFamily: string; elasticLoadBalancing: { enabled: boolean } };
    logging: { clusterLogging: { types: string[]; enabled: boolean }[] };
    encryptionConfig?: EncryptionConfig[];
    accessConfig: { authenticationMode: AuthenticationMode; bootstrapClusterCreatorAdminPermissions: boolean };
    upgradePolicy: { supportType: string };
    deletionProtection: boolean;
    health: Health;
    tags: Tags;
    own: { interfaces: string[] };
}
export interface VpcConfig {
    subnetIds: string[];
    securityGroupIds: string[];
    endpointPublicAccess: boolean;
    endpointPrivateAccess: boolean;
    publicAccessCidrs: string[];
}
export interface EncryptionConfig {
    resources: string[];
    provider: { keyArn: string };
}
export type AuthenticationMode = "CONFIG_MAP" | "API_AND_CONFIG_MAP" | "API";
export const clusters = new Table<Cluster>("eks/cluster");

export interface ScalingConfig {
    minSize: number;
    maxSize: number;
    desiredSize: number;
}
export interface Taint {
    key: string;
    value?: string;
    effect: string;
}
export interface Nodegroup {
    nodegroupName: string;
    nodegroupArn: string;
    clusterName: string;
    version: string;
    releaseVersion: string;
    createdAt: string;
    modifiedAt: string;
    status: "CREATING" | "ACTIVE" | "UPDATING" | "DELETING" | "CREATE_FAILED" | "DELETE_FAILED" | "DEGRADED";
    capacityType: string;
    scalingConfig: ScalingConfig;
    instanceTypes: string[];
    subnets: string[];
    amiType: string;
    nodeRole: string;
    labels: Record<string, string>;
    taints: Taint[];
    resources: { autoScalingGroups: { name: string }[] };
    diskSize?: number;
    updateConfig: { maxUnavailable?: number; maxUnavailablePercentage?: number };
    launchTemplate?: LaunchTemplateRef;
    health: Health;
    tags: Tags;
}
export interface LaunchTemplateRef {
    id?: string;
    name?: string;
    version?: string;
}
export const nodegroups = new Table<Nodegroup>("eks/nodegroup");

export interface Addon {
    addonName: string;
    addonArn: string;
    clusterName: string;
    addonVersion: string;
    status: "CREATING" | "ACTIVE" | "UPDATING" | "DELETING" | "CREATE_FAILED" | "UPDATE_FAILED" | "DELETE_FAILED" | "DEGRADED";
    createdAt: string;
    modifiedAt: string;
    configurationValues?: string;
    serviceAccountRoleArn?: string;
    publisher: string;
    owner: string;
    podIdentityAssociations: string[];
    health: Health;
    tags: Tags;
}
export const addons = new Table<Addon>("eks/addon");

export interface AccessEntry {
    clusterName: string;
    principalArn: string;
    accessEntryArn: string;
    kubernetesGroups: string[];
    username: string;
    type: string;
    createdAt: string;
    modifiedAt: string;
    tags: Tags;
    own: { policies: AccessPolicy[] };
}
export interface AccessPolicy {
    policyArn: string;
    accessScope: { type: "cluster" | "namespace"; namespaces: string[] };
    associatedAt: string;
    modifiedAt: string;
}
export const accessEntries = new Table<AccessEntry>("eks/access-entry");

interface PodIdentity {
    clusterName: string;
    associationId: string;
    associationArn: string;
    namespace: string;
    serviceAccount: string;
    roleArn: string;
    createdAt: string;
    modifiedAt: string;
    tags: Tags;
}
export const podIdentities = new Table<PodIdentity>("eks/pod-identity-association");

export interface Update {
    id: string;
    status: "InProgress" | "Successful" | "Failed";
    type: string;
    params: { type: string; value: string }[];
    createdAt: string;
    errors: { errorCode: string; errorMessage: string; resourceIds: string[] }[];
    /** The updated resource: `cluster`, `cluster/nodegroup` or `cluster/addon`. */
    own: { resource: string };
}
/** An update is kept as long as the resource that was updated. */
export const updates = new Table<Update>("eks/update", { gone: () => true });

/** The row as EKS shows it. */
export function shown<T extends { own: unknown }>({ own: _, ...row }: Readonly<T>): Omit<T, "own"> {
    return row;
}

export function needCluster(scope: Scope, name: string): Readonly<Cluster> {
    return clusters.in(scope).need(name, () => notFound(`No cluster found for name: ${name}.`));
}

/**
 * Returns a cluster to which something can be added.
 *
 * @throws AwsError if it does not exist, or is being created or deleted, or has failed
 */
export function needActive(scope: Scope, name: string): Readonly<Cluster> {
    const cluster = needCluster(scope, name);
    if (cluster.status === "CREATING" || cluster.status === "DELETING" || cluster.status === "FAILED")
        throw new AwsError("InvalidRequestException", `Cluster '${name}' is not in ACTIVE status; it is ${cluster.status}`);
    return cluster;
}

export function notFound(message: string): AwsError {
    return new AwsError("ResourceNotFoundException", message, 404);
}

export function inUse(message: string): AwsError {
    return new AwsError("ResourceInUseException", message, 409);
}

export function invalid(message: string): AwsError {
    return new AwsError("InvalidParameterException", message);
}

export function limitExceeded(message: string): AwsError {
    return new AwsError("ResourceLimitExceededException", message);
}
