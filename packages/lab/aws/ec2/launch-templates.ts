import { AwsError } from "../error.ts";
import { type Filter, filtered } from "../filters.ts";
import type { Scope } from "../scope.ts";
import { Table } from "../table.ts";
import { missing, required } from "./errors.ts";
import { shown } from "./tables.ts";
import { deleteTagsOf, type TagSpecification, tagNew, tagsOf } from "./tags.ts";

/** The configuration of instances, stored as given. Only EKS reads some of its fields. */
type LaunchTemplateData = Record<string, unknown>;

interface LaunchTemplateVersion {
    LaunchTemplateId: string;
    LaunchTemplateName: string;
    VersionNumber: number;
    VersionDescription?: string | undefined;
    CreateTime: string;
    CreatedBy: string;
    LaunchTemplateData: LaunchTemplateData;
}
interface LaunchTemplate {
    LaunchTemplateId: string;
    LaunchTemplateName: string;
    CreateTime: string;
    CreatedBy: string;
    DefaultVersionNumber: number;
    LatestVersionNumber: number;
    versions: LaunchTemplateVersion[];
}
export const launchTemplates = new Table<LaunchTemplate>("ec2/launch-template");

/** A launch template is referred to by its ID or by its name. */
interface TemplateRef {
    LaunchTemplateId?: string | undefined;
    LaunchTemplateName?: string | undefined;
}

/** Returns a version of a launch template: a number, `$Latest` or `$Default`. */
export function templateVersion(scope: Scope, ref: TemplateRef, version = "$Default"): Readonly<LaunchTemplateVersion> {
    const template = needTemplate(scope, ref);
    const number = { $Latest: template.LatestVersionNumber, $Default: template.DefaultVersionNumber }[version] ?? Number(version);
    const found = template.versions.find(({ VersionNumber }) => VersionNumber === number);
    if (!found)
        throw new AwsError(
            "InvalidLaunchTemplateId.VersionNotFound",
            `Could not find the specified version ${version} for the launch template with ID ${template.LaunchTemplateId}.`,
        );
    return found;
}

function needTemplate(scope: Scope, { LaunchTemplateId: id, LaunchTemplateName: name }: TemplateRef): Readonly<LaunchTemplate> {
    const rows = launchTemplates.in(scope);
    if (id !== undefined) return rows.need(id, () => missing("launchTemplate", id));
    if (name === undefined) throw required("LaunchTemplateId or LaunchTemplateName");
    const found = rows.list().find((template) => template.LaunchTemplateName === name);
    if (!found) throw missing("launchTemplateName", name);
    return found;
}

/** The actions on launch templates. */
export const launchTemplateActions = (scope: Scope) => {
    const rows = launchTemplates.in(scope);
    const show = (row: Readonly<LaunchTemplate>) => shown(row, tagsOf(scope, row.LaunchTemplateId));

    return {
        createLaunchTemplate: (request: {
            LaunchTemplateName: string;
            LaunchTemplateData: LaunchTemplateData;
            VersionDescription?: string;
            TagSpecifications?: TagSpecification[];
        }) => {
            const { LaunchTemplateName, LaunchTemplateData, VersionDescription } = request;
            if (rows.list().some((template) => template.LaunchTemplateName === LaunchTemplateName))
                throw new AwsError("InvalidLaunchTemplateName.AlreadyExistsException", "Launch template name already in use.");
            const LaunchTemplateId = scope.id("lt");
            const created = { LaunchTemplateId, LaunchTemplateName, CreateTime: scope.now.toISOString(), CreatedBy: scope.principal };
            const version = {
                ...created,
                VersionNumber: 1,
                LaunchTemplateData,
                ...(VersionDescription !== undefined && { VersionDescription }),
            };
            const row = rows.put(LaunchTemplateId, { ...created, DefaultVersionNumber: 1, LatestVersionNumber: 1, versions: [version] });
            tagNew(scope, "launch-template", LaunchTemplateId, request.TagSpecifications);
            return { LaunchTemplate: show(row) };
        },

        createLaunchTemplateVersion: (request: TemplateRef & { LaunchTemplateData: LaunchTemplateData; VersionDescription?: string }) => {
            const template = needTemplate(scope, request);
            const { LaunchTemplateId, LaunchTemplateName, LatestVersionNumber, versions } = template;
            const version: LaunchTemplateVersion = {
                LaunchTemplateId,
                LaunchTemplateName,
                VersionNumber: LatestVersionNumber + 1,
                CreateTime: scope.now.toISOString(),
                CreatedBy: scope.principal,
                LaunchTemplateData: request.LaunchTemplateData,
                ...(request.VersionDescription !== undefined && { VersionDescription: request.VersionDescription }),
            };
            rows.update(LaunchTemplateId, { LatestVersionNumber: version.VersionNumber, versions: [...versions, version] });
            return { LaunchTemplateVersion: { ...version, DefaultVersion: false } };
        },

        modifyLaunchTemplate: (request: TemplateRef & { DefaultVersion: string }) => {
            const { LaunchTemplateId } = needTemplate(scope, request);
            const { VersionNumber } = templateVersion(scope, { LaunchTemplateId }, request.DefaultVersion);
            return { LaunchTemplate: show(rows.update(LaunchTemplateId, { DefaultVersionNumber: VersionNumber })) };
        },

        describeLaunchTemplates: (request: { LaunchTemplateIds?: string[]; LaunchTemplateNames?: string[]; Filters?: Filter[] } = {}) => {
            const { LaunchTemplateIds: ids, LaunchTemplateNames: names } = request;
            const requested =
                ids?.map((id) => needTemplate(scope, { LaunchTemplateId: id })) ??
                names?.map((name) => needTemplate(scope, { LaunchTemplateName: name })) ??
                rows.list();
            return {
                LaunchTemplates: filtered(requested.map(show), request.Filters, {
                    "launch-template-name": (template) => template.LaunchTemplateName,
                    "create-time": (template) => template.CreateTime,
                }),
            };
        },

        describeLaunchTemplateVersions: (request: TemplateRef & { Versions?: string[] }) => {
            const template = needTemplate(scope, request);
            const requested = request.Versions?.map((version) => templateVersion(scope, request, version)) ?? template.versions;
            return {
                LaunchTemplateVersions: requested.map((version) => ({
                    ...version,
                    DefaultVersion: version.VersionNumber === template.DefaultVersionNumber,
                })),
            };
        },

        deleteLaunchTemplate: (request: TemplateRef) => {
            const template = needTemplate(scope, request);
            rows.delete(template.LaunchTemplateId);
            deleteTagsOf(scope, template.LaunchTemplateId);
            return { LaunchTemplate: show(template) };
        },
    };
};
