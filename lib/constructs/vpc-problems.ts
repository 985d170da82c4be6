import type { IVpc, SelectedSubnets, SubnetSelection } from 'aws-cdk-lib/aws-ec2';
import { Token } from 'aws-cdk-lib/core';
import type { InferenceFunctionOptions } from './inference-function-options.js';
import type { Problem } from './problems.js';

/** https://docs.aws.amazon.com/lambda/latest/api/API_VpcConfig.html */
const MAX_SUBNETS = 16;
const MAX_SECURITY_GROUPS = 5;

/** What is wrong with the network of a function. */
export function vpcProblems(props: InferenceFunctionOptions): Problem[] {
  const { vpc, vpcSubnets } = props;
  return [
    ...(vpc === undefined ? withoutVpcProblems(props) : subnetProblems(vpc, vpcSubnets)),
    ...securityGroupProblems(props),
  ];
}

function withoutVpcProblems(props: InferenceFunctionOptions): Problem[] {
  return (['vpcSubnets', 'securityGroups', 'allowAllOutbound'] as const)
    .filter((name) => props[name] !== undefined)
    .map((name) => ({
      code: 'VPC_MISSING',
      message: `${name} is given without vpc.`,
      advice: `Give the vpc, or leave ${name} out.`,
    }));
}

function subnetProblems(vpc: IVpc, selection: SubnetSelection | undefined): Problem[] {
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
      message: 'The subnets selected for the function are public.',
      advice:
        'A function has no public address, so a public subnet gives it no way out. Select private or isolated subnets.',
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

function securityGroupProblems({ securityGroups, allowAllOutbound }: InferenceFunctionOptions): Problem[] {
  if (securityGroups === undefined) return [];
  const problems: Problem[] = [];
  if (securityGroups.length === 0 || securityGroups.length > MAX_SECURITY_GROUPS) {
    problems.push({
      code: 'SECURITY_GROUP_COUNT',
      message: `${securityGroups.length} securityGroups are given.`,
      advice: `Give 1 to ${MAX_SECURITY_GROUPS}, or leave them out for one of the function's own.`,
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
