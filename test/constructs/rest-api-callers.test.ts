import { Template } from 'aws-cdk-lib/assertions';
import { AccountPrincipal, Role } from 'aws-cdk-lib/aws-iam';
import { Duration } from 'aws-cdk-lib/core';
import { describe, expect, test } from 'vitest';
import { InferenceAuth } from '../../lib/constructs/index.js';
import { propertiesOf } from '../support/option-combinations.js';
import { checkCaller, methodsOf, restEndpoints, userPool } from '../support/rest-endpoints.js';

const { restWith, templateOf } = restEndpoints();

describe('who may call a REST API', () => {
  test('is said by a token of a Cognito user pool', () => {
    const template = templateOf((stack) => ({
      auth: InferenceAuth.cognito([userPool(stack)], { scopes: ['ml/predict'] }),
    }));
    template.hasResourceProperties('AWS::ApiGateway::Authorizer', {
      Type: 'COGNITO_USER_POOLS',
      IdentitySource: 'method.request.header.Authorization',
      AuthorizerResultTtlInSeconds: 300,
    });
    for (const method of methodsOf(template)) {
      expect(method).toMatchObject({ AuthorizationType: 'COGNITO_USER_POOLS', AuthorizationScopes: ['ml/predict'] });
    }
  });

  test('is decided by a function, cached for each caller, resource and method', () => {
    const template = templateOf((stack) => ({ auth: InferenceAuth.lambda(checkCaller(stack)) }));
    template.hasResourceProperties('AWS::ApiGateway::Authorizer', {
      Type: 'REQUEST',
      IdentitySource: 'method.request.header.Authorization,context.resourcePath,context.httpMethod',
      AuthorizerResultTtlInSeconds: 300,
    });
    const permissions = propertiesOf(template, 'AWS::Lambda::Permission').filter(({ FunctionName }) =>
      JSON.stringify(FunctionName).includes('CheckCaller'),
    );
    expect(permissions).toEqual([
      {
        Action: 'lambda:InvokeFunction',
        Principal: 'apigateway.amazonaws.com',
        FunctionName: expect.anything(),
        SourceArn: { 'Fn::Join': ['', expect.arrayContaining(['/authorizers/'])] },
      },
    ]);
  });

  test('is asked in the words of REST APIs', () => {
    const identitySource = [
      '$request.header.X-Tenant',
      '$request.querystring.key',
      '$context.identity.sourceIp',
      '$stageVariables.mode',
    ];
    templateOf((stack) => ({
      auth: InferenceAuth.lambda(checkCaller(stack), { identitySource, response: 'iam-policy' }),
    })).hasResourceProperties('AWS::ApiGateway::Authorizer', {
      IdentitySource:
        'method.request.header.X-Tenant,method.request.querystring.key,context.identity.sourceIp,stageVariables.mode',
    });
  });

  test('changes the deployment when it changes', () => {
    const deployment = (minutes: number) =>
      Object.keys(
        templateOf((stack) => ({
          auth: InferenceAuth.lambda(checkCaller(stack), { resultsCacheTtl: Duration.minutes(minutes) }),
        })).findResources('AWS::ApiGateway::Deployment'),
      );
    expect(deployment(1)).toEqual(deployment(1));
    expect(deployment(1)).not.toEqual(deployment(2));
  });

  test('is granted method by method', () => {
    const { stack, endpoint } = restWith();
    endpoint.grantInvoke(new Role(stack, 'Caller', { assumedBy: new AccountPrincipal('123456789012') }));
    const [policy] = propertiesOf(Template.fromStack(stack), 'AWS::IAM::Policy') as {
      PolicyDocument: { Statement: { Action: string; Effect: string; Resource: unknown[] }[] };
    }[];
    const statements = policy?.PolicyDocument.Statement ?? [];
    expect(statements).toEqual([{ Action: 'execute-api:Invoke', Effect: 'Allow', Resource: expect.any(Array) }]);
    expect(statements[0]?.Resource.length).toBeGreaterThanOrEqual(16);
    const text = JSON.stringify(statements[0]?.Resource);
    expect(text).toContain('/POST/v1/models/faces:predict');
    expect(text).toContain('/POST/v2/models/faces/versions/*/infer');
  });
});
