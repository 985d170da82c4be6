import { ArnFormat, Names, Stack } from 'aws-cdk-lib/core';
import type { Construct } from 'constructs';

/** Lambda takes 140 characters. */
const MAX_LAYER_NAME = 64;

/**
 * The name under which all versions of a layer are published, from its stack's name and its path. Without one, CloudFormation takes
 * the logical id, which stacks of the same making share: their versions then mix in one layer.
 */
export function layerName(scope: Construct): string {
  return Names.uniqueResourceName(scope, { maxLength: MAX_LAYER_NAME, separator: '-', allowedSpecialCharacters: '_-' });
}

/** A layer's ARN without a version. */
export function layerArn(scope: Construct, name: string): string {
  return Stack.of(scope).formatArn({
    service: 'lambda',
    resource: 'layer',
    resourceName: name,
    arnFormat: ArnFormat.COLON_RESOURCE_NAME,
  });
}
