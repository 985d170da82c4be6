import type { ISecurityGroup, IVpc, SelectedSubnets, SubnetSelection } from 'aws-cdk-lib/aws-ec2';
import { Token } from 'aws-cdk-lib/core';
import type { Problem } from './problems.js';

/** https://docs.aws.amazon.com/lambda/latest/api/API_VpcConfig.html, and the same at https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_VpcConfig.html */
const MAX_SUBNETS = 16;
const MAX_SECURITY_GROUPS = 5;

interface NetworkOptions {
  readonly vpc?: IVpc;
  readonly vpcSubnets?: SubnetSelection;
  readonly securityGroups?: readonly ISecurityGroup[];
  readonly allowAllOutbound?: boolean;
}

/** What is wrong with the network of a function, or of an endpoint on SageMaker. */
export function vpcProblems(props: NetworkOptions, subject: 'function' | 'endpoint' = 'function'): Problem[] {
  const { vpc, vpcSubnets } = props;
  return [
    ...(vpc === undefined ? withoutVpcProblems(props) : subnetProblems(vpc, vpcSubnets, subject)),
    ...securityGroupProblems(props, subject),
  ];
}

function withoutVpcProblems(props: NetworkOptions): Problem[] {
  return (['vpcSubnets', 'securityGroups', 'allowAllOutbound'] as const)
    .filter((name) => props[name] !== undefined)
    .map((name) => ({
      code: 'VPC_MISSING',
      message: `${name} is given without vpc.`,
      advice: `Give the vpc, or leave ${name} out.`,
    }));
}

function subnetProblems(vpc: IVpc, selection: SubnetSelection | undefined, subject: string): Problem[] {
  let selected: SelectedSubnets;
  try {
    selected = vpc.selectSubnets(selection);
  } catch (error) {
    return [
      {
        code: 'VPC_SUBNETS_NOT_FOUND',
        message: error instanceof Error ? error.message : String(error),
        advice: 'Select private or isolated subnets that the vpc has.',
      },
    ];
  }
  const problems: Problem[] = [];
  const publicIds = new Set(vpc.publicSubnets.map((subnet) => subnet.subnetId));
  if (selected.subnetIds.some((id) => publicIds.has(id))) {
    problems.push({
      code: 'VPC_SUBNET_PUBLIC',
      message: `The subnets selected for the ${subject} are public.`,
      advice: `${subject === 'function' ? 'A' : 'An'} ${subject} has no public address, so a public subnet gives it no way out. Select private or isolated subnets.`,
    });
  }
  const { length } = selected.subnetIds;
  // A list that is a token counts as one.
  if (!Token.isUnresolved(selected.subnetIds) && (length === 0 || length > MAX_SUBNETS)) {
    problems.push({
      code: 'VPC_SUBNET_COUNT',
      message: `${length} subnets are selected.`,
      advice: `Select 1 to ${MAX_SUBNETS}.`,
    });
  }
  return problems;
}

function securityGroupProblems({ securityGroups, allowAllOutbound }: NetworkOptions, subject: string): Problem[] {
  if (securityGroups === undefined) return [];
  const problems: Problem[] = [];
  if (securityGroups.length === 0 || securityGroups.length > MAX_SECURITY_GROUPS) {
    problems.push({
      code: 'SECURITY_GROUP_COUNT',
      message: `${securityGroups.length} securityGroups are given.`,
      advice: `Give 1 to ${MAX_SECURITY_GROUPS}, or leave them out for one of the ${subject}'s own.`,
    });
  }
  if (allowAllOutbound !== undefined) {
    problems.push({
      code: 'ALLOW_ALL_OUTBOUND_WITHOUT_EFFECT',
      message: 'allowAllOutbound is given together with securityGroups.',
      advice: 'Set it on your security groups and leave it out here.',
    });
  }
  return problems;
}
