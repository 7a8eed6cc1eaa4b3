import { z } from "zod";

/** What a change of a deployed setting does. `never` is documentation only: nothing compares a stack file with the deployed state. */
export type Change = "in place" | `in place; ${string}` | `replaces ${string}` | `ignored; ${string}` | `never; ${string}`;

/** Documentation of a setting. docs/configuration.md and schema/stack.schema.json are generated from it. */
export interface SettingMeta {
    /** Plain text: meaning, unit, limits that the type does not show. */
    description: string;
    /** Whether the setting can change after the first deployment. Every setting has one; a group of settings has none. */
    change?: Change;
    /** The rule for a default that is not a constant of the schema. */
    computedDefault?: string;
}

/** Every documented setting. Register a schema last in its chain: each zod method returns a new, unregistered schema. */
export const settingRegistry = z.registry<SettingMeta>();
