import { z } from "zod";
import { wrap } from "../text/wrap.ts";
import { ClusterSchema } from "./cluster-schema.ts";
import { MeshSchema } from "./mesh-schema.ts";
import { type Change, settingRegistry } from "./registry.ts";
import { StackSettings } from "./schema.ts";

type JsonSchema = z.core.JSONSchema.JSONSchema & { change?: Change; computedDefault?: string };

/** A setting, as documented. */
interface Setting {
    /** "nodeGroup.min" */
    path: string;
    schema: JsonSchema;
    required: boolean;
}

/** Columns of the generated page. */
const WIDTH = 100;

const INTRODUCTION = [
    "With this page you can write the stack file of a cluster or a mesh, and see what a change of it does.",
    "A stack file is named `Pulumi.<stack>.yaml` and lies beside `Pulumi.yaml`. All settings go under `config`, `clustermesh:stack`; an unknown key is an error. The name `nodeGroup.min` stands for the key `min` in the map `nodeGroup`. Start from [Pulumi.cluster1.yaml](../Pulumi.cluster1.yaml) or [Pulumi.mesh.yaml](../Pulumi.mesh.yaml).",
    "`clustermesh plan` reports every error without contacting AWS. Editors with a YAML language server complete and check the settings with [schema/stack.schema.json](../schema/stack.schema.json), which the first line of each sample file names.",
    "_Change later_ says what happens when you change the setting of a deployed stack. **Never** means that the change breaks the cluster or the mesh.",
];

/** JSON Schema of a stack file (`Pulumi.<stack>.yaml`), for editors: they complete settings and report errors. */
export function stackFileSchema(): object {
    const { $schema, ...settings } = z.toJSONSchema(StackSettings, {
        io: "input",
        metadata: settingRegistry,
        override: ({ jsonSchema }) => describeFully(jsonSchema as JsonSchema),
    });
    return {
        $schema,
        title: "Stack file of clustermesh",
        type: "object",
        properties: {
            config: {
                type: "object",
                properties: { "clustermesh:stack": settings },
                required: ["clustermesh:stack"],
                // Other namespaces, such as aws, are allowed. The program refuses other keys of its own.
                patternProperties: { "^clustermesh:(?!stack$)": false },
            },
        },
        required: ["config"],
    };
}

/** Moves what JSON Schema has no keyword for into the description. */
function describeFully(schema: JsonSchema): void {
    const { description, change, computedDefault } = schema;
    if (description === undefined) return;
    delete schema.change;
    delete schema.computedDefault;
    schema.description = [
        description,
        ...(computedDefault === undefined ? [] : [`Default: ${computedDefault}.`]),
        ...(change === undefined ? [] : [`Change later: ${change}.`]),
    ].join("\n\n");
}

/** docs/configuration.md */
export function configurationPage(): string {
    const paragraphs = [
        "# Configuration",
        "<!-- Generated from core/settings by `npm run generate`: edit the schemas there. -->",
        ...INTRODUCTION.map((paragraph) => wrap(paragraph, WIDTH)),
        "## Cluster settings",
        ...settingsOf(ClusterSchema).flatMap(section),
        "## Mesh settings",
        ...settingsOf(MeshSchema).flatMap(section),
    ];
    return `${paragraphs.join("\n\n")}\n`;
}

function settingsOf(schema: z.ZodType): Setting[] {
    return flatten(z.toJSONSchema(schema, { io: "input", metadata: settingRegistry }), "");
}

/** The settings of a map and of the maps in it. */
function flatten({ properties = {}, required = [] }: JsonSchema, prefix: string): Setting[] {
    return Object.entries(properties).flatMap(([key, property]) => {
        const [path, schema] = [prefix + key, property as JsonSchema];
        return [{ path, schema, required: required.includes(key) }, ...(schema.properties ? flatten(schema, `${path}.`) : [])];
    });
}

/** @throws Error when a setting lacks its description or whether it can change */
function section({ path, schema, required }: Setting): string[] {
    const { description, change } = schema;
    if (description === undefined) throw new Error(`${path} is not in the setting registry`);
    const heading = [`### \`${path}\``, wrap(description, WIDTH)];
    if (schema.properties) return heading;
    if (change === undefined) throw new Error(`${path} does not say whether it can change`);
    const facts = { Type: typeName(schema), Default: required ? "none, required" : defaultOf(schema), "Change later": change };
    return [
        ...heading,
        Object.entries(facts)
            .map(([name, fact]) => wrap(`- ${name}: ${fact}`, WIDTH, "  "))
            .join("\n"),
    ];
}

function defaultOf(schema: JsonSchema): string {
    return schema.default === undefined ? (schema.computedDefault ?? "none") : `\`${JSON.stringify(schema.default)}\``;
}

function typeName(schema: JsonSchema): string {
    if (schema.anyOf) return schema.anyOf.map((option) => typeName(option as JsonSchema)).join(", or ");
    if (schema.const !== undefined) return `\`${JSON.stringify(schema.const)}\``;
    if (schema.enum) return schema.enum.map((value) => `\`${JSON.stringify(value)}\``).join(", ");
    if (schema.type === "integer") return `integer${bounds(schema.minimum, schema.maximum)}`;
    if (schema.type === "object") return (schema.additionalProperties as JsonSchema).type === "string" ? "map of strings" : "map";
    if (schema.type !== "array") return `${schema.type}${bounds(schema.minLength, schema.maxLength, " characters")}`;
    const items = typeName(schema.items as JsonSchema);
    return `list of ${items === "string" ? "strings" : items}${bounds(schema.minItems, schema.maxItems, " entries")}`;
}

/** ", 2 to 6 entries", ", at least 2" */
function bounds(least: number | undefined, most: number | undefined, unit = ""): string {
    if (least === 1 && most === undefined && unit !== "") return ", not empty";
    // Zod writes the bounds of a safe integer where a schema has none.
    const upper = most === Number.MAX_SAFE_INTEGER ? undefined : most;
    if (least !== undefined && upper !== undefined) return `, ${least} to ${upper}${unit}`;
    if (least !== undefined) return `, at least ${least}${unit}`;
    return upper === undefined ? "" : `, at most ${upper}${unit}`;
}
