import { AwsError } from "../error.ts";
import { type Tag, withTags } from "../filters.ts";
import type { Scope } from "../scope.ts";
import { listeners, loadBalancers, noBalancer, noTargetGroup, targetGroups } from "./tables.ts";

/** Tags of load balancers, target groups and listeners. */
export const elbTagActions = (scope: Scope) => ({
    addTags: ({ ResourceArns, Tags }: { ResourceArns: string[]; Tags: Tag[] }) => {
        for (const arn of ResourceArns) setTags(scope, arn, withTags(tagsOf(scope, arn), Tags));
    },
    removeTags: ({ ResourceArns, TagKeys }: { ResourceArns: string[]; TagKeys: string[] }) => {
        for (const arn of ResourceArns)
            setTags(
                scope,
                arn,
                tagsOf(scope, arn).filter(({ Key }) => !TagKeys.includes(Key)),
            );
    },
    describeTags: ({ ResourceArns }: { ResourceArns: string[] }) => ({
        TagDescriptions: ResourceArns.map((ResourceArn) => ({ ResourceArn, Tags: tagsOf(scope, ResourceArn) })),
    }),
});

function tagsOf(scope: Scope, arn: string): Tag[] {
    return tagged(scope, arn).tags;
}

function setTags(scope: Scope, arn: string, tags: Tag[]): void {
    tagged(scope, arn).rows.update(arn, { tags });
}

function tagged(scope: Scope, arn: string) {
    const [rows, missing] = arn.includes(":targetgroup/")
        ? ([targetGroups.in(scope), noTargetGroup] as const)
        : arn.includes(":listener/")
          ? ([listeners.in(scope), () => new AwsError("ListenerNotFound", "One or more listeners not found")] as const)
          : ([loadBalancers.in(scope), noBalancer] as const);
    return { rows, tags: rows.need(arn, missing).tags };
}
