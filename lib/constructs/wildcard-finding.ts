import { Stack, Validations } from 'aws-cdk-lib/core';
import type { IConstruct } from 'constructs';

/** Says to cdk-nag why a policy names a resource with a wildcard; on its resource alone, and for this wildcard alone. */
export function acknowledgeWildcard(policy: IConstruct, resource: string, reason: string): void {
  const finding = asFinding(Stack.of(policy).resolve(resource));
  Validations.of(policy.node.defaultChild ?? policy).acknowledge({
    id: `AwsSolutions-IAM5[Resource::${finding}]`,
    reason,
  });
}

/** How cdk-nag writes a resource in the name of a finding. */
function asFinding(resource: unknown): string {
  if (typeof resource === 'string') return resource;
  const { Ref, 'Fn::GetAtt': attribute, 'Fn::Join': join } = resource as Readonly<Record<string, unknown>>;
  if (typeof Ref === 'string') return `<${Ref}>`;
  if (Array.isArray(attribute)) return `<${attribute.join('.')}>`;
  if (Array.isArray(join)) return (join[1] as unknown[]).map(asFinding).join(String(join[0]));
  return JSON.stringify(resource);
}
