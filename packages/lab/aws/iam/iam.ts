import type { Scope } from "../scope.ts";
import { identityProviderActions } from "./oidc-providers.ts";
import { policyActions } from "./policies.ts";
import { roleActions } from "./roles.ts";

/** Simulated IAM: roles, customer managed policies and OpenID Connect providers. */
export const iam = (scope: Scope) => ({
    ...roleActions(scope),
    ...policyActions(scope),
    ...identityProviderActions(scope),
});
