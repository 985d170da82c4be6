import { CfnResource as CfnRestResource } from 'aws-cdk-lib/aws-apigateway';
import { CfnRoute } from 'aws-cdk-lib/aws-apigatewayv2';
import { CfnResource, Stack } from 'aws-cdk-lib/core';
import type { Construct, IConstruct } from 'constructs';

/** https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html */
const STACK_RESOURCES = 500;
/** The context with which the CDK is told of another limit; 0 is none. */
const STACK_RESOURCES_CONTEXT = '@aws-cdk/core:stackResourceLimit';
/** https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html: "Routes per API" */
const HTTP_API_ROUTES = 300;
/** https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html: "Resources per API" */
const REST_API_RESOURCES = 300;

/**
 * Errors of a synth whose API or stack is larger than AWS takes: counted when the app is complete, because models are added one by one and
 * others put resources into the stack.
 */
export function checkLimitsAtSynth(api: Construct, modelCount: () => number): void {
  api.node.addValidation({
    validate: () => [...apiProblems(api, modelCount()), ...stackProblems(api, modelCount())],
  });
}

function apiProblems(api: Construct, models: number): string[] {
  const advice = 'Divide the models between two endpoints.';
  const found = api.node.findAll();
  const routes = found.filter((construct) => construct instanceof CfnRoute).length;
  const resources = found.filter((construct) => construct instanceof CfnRestResource).length;
  return [
    ...(routes > HTTP_API_ROUTES
      ? [`HTTP_API_ROUTES: ${models} models take ${routes} routes, and an HTTP API has ${HTTP_API_ROUTES}. ${advice}`]
      : []),
    ...(resources > REST_API_RESOURCES
      ? [
          `REST_API_RESOURCES: ${models} models take ${resources} resources of a REST API, which has ${REST_API_RESOURCES}. ${advice}`,
        ]
      : []),
  ];
}

function stackProblems(api: Construct, models: number): string[] {
  const limit = Number(api.node.tryGetContext(STACK_RESOURCES_CONTEXT) ?? STACK_RESOURCES);
  const stack = Stack.of(api);
  const inStack = resourcesBelow(stack, stack);
  if (limit === 0 || inStack <= limit) return [];
  const ours = resourcesBelow(api.node.scope ?? api, stack);
  return [
    `STACK_RESOURCES: the stack has ${inStack} resources, and CloudFormation takes ${limit}; ${ours} of them belong to this endpoint of ${models} models, some ${Math.ceil(ours / Math.max(1, models))} for each. Put some of the models into an endpoint in another stack.`,
  ];
}

function resourcesBelow(construct: IConstruct, stack: Stack): number {
  return construct.node.findAll().filter((found) => CfnResource.isCfnResource(found) && Stack.of(found) === stack)
    .length;
}
