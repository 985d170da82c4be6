/** AWS's images of Triton: who holds them in each region. */
import type { IRepository } from 'aws-cdk-lib/aws-ecr';
import { CfnMapping, Fn, Stack, Token } from 'aws-cdk-lib/core';
import type { Construct } from 'constructs';
import type { TritonRelease } from '../artifact/triton.js';
import type { Problem } from './problems.js';

const REPOSITORY = 'sagemaker-tritonserver';
const MOST_REGIONS = '763104351884';

/** https://github.com/aws/sagemaker-python-sdk, image_uri_config/sagemaker-tritonserver.json, its versions 25.04 and 25.09 (#5314) */
const EVERY_RELEASE: Readonly<Record<string, string>> = {
  'af-south-1': '626614931356',
  'ap-east-1': '871362719292',
  'ap-east-2': '975050140332',
  'ap-northeast-1': MOST_REGIONS,
  'ap-northeast-2': MOST_REGIONS,
  'ap-northeast-3': '364406365360',
  'ap-south-1': MOST_REGIONS,
  'ap-south-2': '772153158452',
  'ap-southeast-1': MOST_REGIONS,
  'ap-southeast-2': MOST_REGIONS,
  'ap-southeast-3': '907027046896',
  'ap-southeast-4': '457447274322',
  'ap-southeast-5': '550225433462',
  'ap-southeast-7': '590183813437',
  'ca-central-1': MOST_REGIONS,
  'ca-west-1': '204538143572',
  'eu-central-1': MOST_REGIONS,
  'eu-central-2': '380420809688',
  'eu-north-1': MOST_REGIONS,
  'eu-south-1': '692866216735',
  'eu-south-2': '503227376785',
  'eu-west-1': MOST_REGIONS,
  'eu-west-2': MOST_REGIONS,
  'eu-west-3': MOST_REGIONS,
  'il-central-1': '780543022126',
  'me-central-1': '914824155844',
  'me-south-1': '217643126080',
  'mx-central-1': '637423239942',
  'sa-east-1': MOST_REGIONS,
  'us-east-1': MOST_REGIONS,
  'us-east-2': MOST_REGIONS,
  'us-west-1': MOST_REGIONS,
  'us-west-2': MOST_REGIONS,
};

/** By region. */
export const TRITON_ACCOUNTS: Readonly<Record<TritonRelease, Readonly<Record<string, string>>>> = {
  '25.04': { ...EVERY_RELEASE, 'cn-north-1': '727897471807', 'cn-northwest-1': '727897471807' },
  '25.09': { ...EVERY_RELEASE, 'ap-southeast-6': '633930458069' },
};

export interface TritonImage {
  readonly uri: string;
  /** Of what the role may pull. */
  readonly repositoryArn: string;
}

/** An image in ECR, as SageMaker takes it: by tag or by digest. */
const IMAGE =
  /^(?<account>\d{12})\.dkr\.ecr\.(?<region>[a-z0-9-]+)\.amazonaws\.com(\.cn)?\/(?<repository>[a-z0-9._/-]+)[:@][\w.:-]+$/;

export interface OwnImage {
  readonly image?: string;
  readonly imageRepository?: IRepository;
}

/** What is wrong with an image of the user's, or with the region that has none of AWS's. */
export function imageProblems(stack: Stack, { image, imageRepository }: OwnImage, release: TritonRelease): Problem[] {
  if (image !== undefined) return ownImageProblems(image, imageRepository);
  const { region } = stack;
  const problems: Problem[] = [];
  if (imageRepository !== undefined) {
    problems.push({
      code: 'TRITON_IMAGE_INVALID',
      message: 'imageRepository is given without image.',
      advice: 'Give the address of the image too, or leave imageRepository out.',
    });
  }
  if (!Token.isUnresolved(region) && TRITON_ACCOUNTS[release][region] === undefined) {
    problems.push({
      code: 'TRITON_REGION',
      message: `AWS has no image of Triton ${release} in ${region}.`,
      advice: 'Deploy to another region, choose another tritonRelease, or copy the image to ECR and give it as image.',
    });
  }
  return problems;
}

function ownImageProblems(image: string, repository: IRepository | undefined): Problem[] {
  if (Token.isUnresolved(image)) {
    if (repository !== undefined) return [];
    return [
      {
        code: 'TRITON_IMAGE_REPOSITORY',
        message: 'The address of image is known to the deployment alone.',
        advice: 'Give its repository as imageRepository: the endpoint may pull from that one only.',
      },
    ];
  }
  if (IMAGE.test(image)) return [];
  return [
    {
      code: 'TRITON_IMAGE_INVALID',
      message: `image is '${image}'.`,
      advice: `Give the address of an image in ECR: <account>.dkr.ecr.<region>.amazonaws.com/<repository>:<tag>.`,
    },
  ];
}

/** The user's image, else AWS's in the region that the stack is deployed to. */
export function tritonImage(
  scope: Construct,
  { image, imageRepository }: OwnImage,
  release: TritonRelease,
): TritonImage {
  const stack = Stack.of(scope);
  if (image !== undefined) {
    const { account = '', region = '', repository = '' } = IMAGE.exec(image)?.groups ?? {};
    return {
      uri: image,
      repositoryArn: imageRepository?.repositoryArn ?? repositoryArn(stack, { account, region, repository }),
    };
  }
  const account = accountIn(stack, release);
  const registry = `${account}.dkr.ecr.${stack.region}.${stack.urlSuffix}`;
  return {
    uri: `${registry}/${REPOSITORY}:${release}-py3`,
    repositoryArn: repositoryArn(stack, { account, region: stack.region, repository: REPOSITORY }),
  };
}

function repositoryArn(
  stack: Stack,
  { account, region, repository }: { readonly account: string; readonly region: string; readonly repository: string },
): string {
  return stack.formatArn({ service: 'ecr', account, region, resource: 'repository', resourceName: repository });
}

/** A stack for any region looks the account up when it is deployed. */
function accountIn(stack: Stack, release: TritonRelease): string {
  const accounts = TRITON_ACCOUNTS[release];
  if (!Token.isUnresolved(stack.region)) return accounts[stack.region] ?? MOST_REGIONS;
  const id = `TritonAccounts${release.replace('.', '')}`;
  if (stack.node.tryFindChild(id) === undefined) {
    new CfnMapping(stack, id, {
      mapping: Object.fromEntries(Object.entries(accounts).map(([region, account]) => [region, { account }])),
    });
  }
  return Fn.findInMap(id, stack.region, 'account');
}
