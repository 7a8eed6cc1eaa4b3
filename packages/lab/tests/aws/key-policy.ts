/** A key policy that allows these principals everything. */
export const keyPolicy = (...principals: object[]) =>
    JSON.stringify({
        Version: "2012-10-17",
        Statement: principals.map((Principal) => ({ Effect: "Allow", Principal, Action: "kms:*", Resource: "*" })),
    });
export const ROOT = { AWS: "arn:aws:iam::111111111111:root" };
export const LOGS = { Service: "logs.eu-central-1.amazonaws.com" };
