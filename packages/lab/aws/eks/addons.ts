import { roleByArn } from "../iam/tables.ts";
import type { Scope } from "../scope.ts";
import { ADDONS, addonVersions, checkConfiguration, defaultVersion } from "./addon-catalogue.ts";
import { VERSIONS } from "./cluster-checks.ts";
import { startJob } from "./jobs.ts";
import { addons, inUse, invalid, needActive, needCluster, notFound, type Tags } from "./tables.ts";
import { startUpdate } from "./updates.ts";

/** How long AWS takes, in milliseconds. */
const CHANGE = 30_000;

interface Ref {
    clusterName: string;
    addonName: string;
}
interface PutAddon extends Ref {
    addonVersion?: string;
    configurationValues?: string;
    serviceAccountRoleArn?: string;
    resolveConflicts?: "OVERWRITE" | "NONE" | "PRESERVE";
}

/** The actions on add-ons. */
export const addonActions = (scope: Scope) => {
    const rows = addons.in(scope);
    const keyOf = ({ clusterName, addonName }: Ref) => `${clusterName}/${addonName}`;
    const need = (ref: Ref) => {
        needCluster(scope, ref.clusterName);
        return rows.need(keyOf(ref), () => notFound(`No addon: ${ref.addonName} found in cluster: ${ref.clusterName}`));
    };
    const check = ({ addonName, configurationValues, serviceAccountRoleArn }: PutAddon, version: string, clusterVersion: string) => {
        if (!addonVersions(addonName, clusterVersion).includes(version)) throw invalid("Addon version specified is not supported");
        if (configurationValues !== undefined) checkConfiguration(addonName, configurationValues);
        if (serviceAccountRoleArn !== undefined && !roleByArn(scope, serviceAccountRoleArn))
            throw invalid(`The role ${serviceAccountRoleArn} cannot be found.`);
    };

    return {
        describeAddonVersions: ({ addonName, kubernetesVersion }: { addonName?: string; kubernetesVersion?: string } = {}) => {
            const clusterVersions = VERSIONS.filter((version) => kubernetesVersion === undefined || version === kubernetesVersion);
            const names = Object.keys(ADDONS).filter((name) => addonName === undefined || name === addonName);
            const versionsOf = (name: string) => [...new Set(clusterVersions.flatMap((version) => addonVersions(name, version)))];
            return {
                addons: names.map((name) => ({
                    addonName: name,
                    type: ADDONS[name]?.type ?? "",
                    publisher: "eks",
                    owner: "aws",
                    addonVersions: versionsOf(name).map((addonVersion) => ({
                        addonVersion,
                        architecture: ["amd64", "arm64"],
                        requiresConfiguration: false,
                        compatibilities: clusterVersions
                            .filter((version) => addonVersions(name, version).includes(addonVersion))
                            .map((clusterVersion) => ({
                                clusterVersion,
                                platformVersions: ["*"],
                                defaultVersion: addonVersion === defaultVersion(name, clusterVersion),
                            })),
                    })),
                })),
            };
        },

        createAddon: (request: PutAddon & { tags?: Tags }) => {
            const { clusterName, addonName, configurationValues, serviceAccountRoleArn, tags = {} } = request;
            const { version } = needActive(scope, clusterName);
            if (!Object.hasOwn(ADDONS, addonName))
                throw invalid(`Addon ${addonName} specified is not supported in ${version} kubernetes version`);
            if (rows.get(keyOf(request))) throw inUse("Addon already exists.");
            const addonVersion = request.addonVersion ?? defaultVersion(addonName, version);
            check(request, addonVersion, version);
            const now = scope.now.toISOString();
            const addon = rows.put(keyOf(request), {
                addonName,
                addonArn: scope.arn("eks", `addon/${clusterName}/${addonName}/${scope.hex(32)}`),
                clusterName,
                addonVersion,
                status: "CREATING",
                createdAt: now,
                modifiedAt: now,
                ...(configurationValues !== undefined && { configurationValues }),
                ...(serviceAccountRoleArn !== undefined && { serviceAccountRoleArn }),
                publisher: "eks",
                owner: "aws",
                podIdentityAssociations: [],
                health: { issues: [] },
                tags,
            });
            startJob(scope, { kind: "putAddon", addon: keyOf(request) }, CHANGE);
            return { addon };
        },

        describeAddon: (request: Ref) => ({ addon: need(request) }),
        listAddons: ({ clusterName }: { clusterName: string }) => {
            needCluster(scope, clusterName);
            return {
                addons: rows
                    .list()
                    .filter((addon) => addon.clusterName === clusterName)
                    .map(({ addonName }) => addonName),
            };
        },

        updateAddon: (request: PutAddon) => {
            const addon = need(request);
            if (addon.status === "CREATING" || addon.status === "UPDATING" || addon.status === "DELETING")
                throw inUse(`Addon ${addon.addonName} cannot be updated as it is currently in ${addon.status} state`);
            const { addonVersion = addon.addonVersion, configurationValues, serviceAccountRoleArn } = request;
            check(request, addonVersion, needCluster(scope, request.clusterName).version);
            rows.update(keyOf(request), {
                status: "UPDATING",
                addonVersion,
                modifiedAt: scope.now.toISOString(),
                ...(configurationValues !== undefined && { configurationValues }),
                ...(serviceAccountRoleArn !== undefined && { serviceAccountRoleArn }),
            });
            const params = {
                AddonVersion: addonVersion,
                ...(configurationValues !== undefined && { ConfigurationValues: configurationValues }),
            };
            return startUpdate(scope, keyOf(request), "AddonUpdate", params, { kind: "putAddon", addon: keyOf(request) }, CHANGE);
        },

        /** With `preserve`, the add-on's resources remain in the cluster. */
        deleteAddon: ({ preserve = false, ...request }: Ref & { preserve?: boolean }) => {
            const addon = need(request);
            if (addon.status === "DELETING") throw inUse(`Addon ${addon.addonName} is already being deleted`);
            startJob(scope, { kind: "deleteAddon", addon: keyOf(request), preserve }, CHANGE);
            return { addon: rows.update(keyOf(request), { status: "DELETING" }) };
        },
    };
};
