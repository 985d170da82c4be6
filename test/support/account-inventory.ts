/** What an account of the emulator holds, of everything that our stacks create. */
import {
  LambdaClient,
  paginateListFunctions,
  paginateListLayers,
  paginateListLayerVersions,
  paginateListVersionsByFunction,
} from '@aws-sdk/client-lambda';
import { AwsClient } from 'aws4fetch';
import { MINISTACK_REGION, MINISTACK_ROOT, type MiniStack } from './ministack.js';

/** Lines of `kind name`, sorted: `function-version name:1`, `layer-version name:1`, `role name` and so on. */
export async function accountInventory(ministack: MiniStack): Promise<string[]> {
  const lambda = new LambdaClient({
    endpoint: ministack.endpoint,
    region: MINISTACK_REGION,
    credentials: MINISTACK_ROOT,
  });
  const lists = await Promise.all([
    functionsOf(lambda),
    layersOf(lambda),
    named('role', ministack.query('iam', 'ListRoles'), 'RoleName'),
    named('policy', ministack.query('iam', 'ListPolicies', { Scope: 'Local' }), 'PolicyName'),
    named('user', ministack.query('iam', 'ListUsers'), 'UserName'),
    named('stack', ministack.query('cloudformation', 'DescribeStacks'), 'StackName'),
    logGroupsOf(ministack),
    apisOf(ministack, 'http-api', '/v2/apis', (answer) => answer.items ?? []),
    apisOf(ministack, 'rest-api', '/restapis', (answer) => answer.item ?? []),
    apisOf(ministack, 'usage-plan', '/usageplans', (answer) => answer.item ?? []),
    apisOf(ministack, 'api-key', '/apikeys', (answer) => answer.item ?? []),
  ]);
  lambda.destroy();
  return lists.flat().sort();
}

async function functionsOf(client: LambdaClient): Promise<string[]> {
  const found: string[] = [];
  for await (const { Functions } of paginateListFunctions({ client }, {})) {
    for (const { FunctionName } of Functions ?? []) {
      found.push(`function ${FunctionName}`);
      for await (const { Versions } of paginateListVersionsByFunction({ client }, { FunctionName })) {
        for (const { Version } of Versions ?? []) {
          if (Version !== '$LATEST') found.push(`function-version ${FunctionName}:${Version}`);
        }
      }
    }
  }
  return found;
}

async function layersOf(client: LambdaClient): Promise<string[]> {
  const found: string[] = [];
  for await (const { Layers } of paginateListLayers({ client }, {})) {
    for (const { LayerName } of Layers ?? []) {
      for await (const { LayerVersions } of paginateListLayerVersions({ client }, { LayerName })) {
        for (const { Version } of LayerVersions ?? []) found.push(`layer-version ${LayerName}:${Version}`);
      }
    }
  }
  return found;
}

async function named(kind: string, answer: Promise<string>, element: string): Promise<string[]> {
  const text = await answer;
  if (text.includes('<IsTruncated>true') || text.includes('<NextToken>'))
    throw new Error(`the list of ${kind}s goes on`);
  return [...text.matchAll(new RegExp(`<${element}>([^<]+)</${element}>`, 'g'))].map(([, name]) => `${kind} ${name}`);
}

function signedClient(service: string): AwsClient {
  return new AwsClient({ ...MINISTACK_ROOT, region: MINISTACK_REGION, service, retries: 0 });
}

async function logGroupsOf({ endpoint }: MiniStack): Promise<string[]> {
  const answer = await signedClient('logs').fetch(`${endpoint}/`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': 'Logs_20140328.DescribeLogGroups' },
    body: '{}',
  });
  const { logGroups = [] } = (await answer.json()) as { readonly logGroups?: readonly { logGroupName: string }[] };
  return logGroups.map(({ logGroupName }) => `log-group ${logGroupName}`);
}

interface NamedItem {
  readonly name: string;
}
interface ItemList {
  readonly item?: readonly NamedItem[];
  readonly items?: readonly NamedItem[];
}

async function apisOf(
  { endpoint }: MiniStack,
  kind: string,
  path: string,
  items: (answer: ItemList) => readonly NamedItem[],
): Promise<string[]> {
  const answer = await signedClient('apigateway').fetch(endpoint + path);
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  return items((await answer.json()) as ItemList).map(({ name }) => `${kind} ${name}`);
}
