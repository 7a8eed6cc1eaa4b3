import { AwsError } from "../error.ts";
import type { Tag } from "../filters.ts";
import type { Scope } from "../scope.ts";
import { Table } from "../table.ts";

/** An OpenID Connect provider, which role trust policies can name. */
interface IdentityProvider {
    Arn: string;
    /** Without `https://`. */
    Url: string;
    ClientIDList: string[];
    ThumbprintList: string[];
    CreateDate: string;
    Tags: Tag[];
}
export const identityProviders = new Table<IdentityProvider>("iam/oidc-provider", { shared: "account" });

/** The actions on OpenID Connect providers. */
export const identityProviderActions = (scope: Scope) => {
    const rows = identityProviders.in(scope);
    const need = (arn: string) =>
        rows.need(arn, () => new AwsError("NoSuchEntity", `OpenIDConnect Provider not found for arn ${arn}`, 404));

    return {
        createOpenIDConnectProvider: (request: { Url: string; ClientIDList?: string[]; ThumbprintList?: string[]; Tags?: Tag[] }) => {
            if (!/^https:\/\/[^/]+/.test(request.Url)) throw new AwsError("ValidationError", "Invalid Open ID Connect Provider URL");
            const Url = request.Url.replace(/^https:\/\//, "").replace(/\/$/, "");
            const Arn = `arn:${scope.partition}:iam::${scope.account}:oidc-provider/${Url}`;
            if (rows.get(Arn)) throw new AwsError("EntityAlreadyExists", `Provider with url https://${Url} already exists.`, 409);
            const { ClientIDList = [], ThumbprintList = [], Tags = [] } = request;
            rows.put(Arn, { Arn, Url, ClientIDList, ThumbprintList, CreateDate: scope.now.toISOString(), Tags });
            return { OpenIDConnectProviderArn: Arn, Tags };
        },
        getOpenIDConnectProvider: ({ OpenIDConnectProviderArn }: { OpenIDConnectProviderArn: string }) => {
            const { Arn: _, ...provider } = need(OpenIDConnectProviderArn);
            return provider;
        },
        listOpenIDConnectProviders: () => ({ OpenIDConnectProviderList: rows.list().map(({ Arn }) => ({ Arn })) }),
        /** Idempotent: a provider that does not exist is not an error. */
        deleteOpenIDConnectProvider: ({ OpenIDConnectProviderArn }: { OpenIDConnectProviderArn: string }) => {
            if (rows.get(OpenIDConnectProviderArn)) rows.delete(OpenIDConnectProviderArn);
        },
    };
};
