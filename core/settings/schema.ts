import { z } from "zod";
import { ClusterSchema } from "./cluster-schema.ts";
import { MeshSchema } from "./mesh-schema.ts";

/** The value of `clustermesh:stack`. */
export const StackSettings = z.discriminatedUnion("kind", [ClusterSchema, MeshSchema]);

/** A cluster's settings after parsing, with the defaults that do not depend on other settings. */
export type ClusterSettings = z.output<typeof ClusterSchema>;
export type MeshSettings = z.output<typeof MeshSchema>;
