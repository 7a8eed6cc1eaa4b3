import { z } from "zod";
import { isCanonical } from "../network/cidr.ts";

/** An IPv4 block, written with its first address. */
export const Cidr = z.string().refine(isCanonical, {
    error: "must be a canonical IPv4 CIDR (host bits zero), such as 10.0.0.0/16",
    // Further rules would misread it.
    abort: true,
});

export const Arn = z.string().regex(/^arn:[\w-]+:[\w-]+:/, "must be an ARN, such as arn:aws:iam::123456789012:role/name");

export const Tags = z.record(z.string().min(1).max(128), z.string().max(256)).default({});
