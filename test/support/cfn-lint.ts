/** cfn-lint from PyPI: CloudFormation's own schemas and rules over templates. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { Template } from 'aws-cdk-lib/assertions';
import type { Stack } from 'aws-cdk-lib/core';

export const CFN_LINT = ['cfn-lint==1.58.0'];

/** What is found and is as it should be. */
const EXPLAINED: Readonly<Record<string, string>> = {
  I1022: 'Fn::Sub instead of Fn::Join is a matter of taste; the CDK writes Fn::Join.',
  W3005: 'The CDK writes a dependency on a role beside the reference to it, for the sake of its policies.',
};

interface Match {
  readonly Rule: { readonly Id: string };
  readonly Message: string;
  readonly Filename: string;
  readonly Location: { readonly Path: readonly (string | number)[] | null };
}

/**
 * Every finding in the templates that is not explained above, of whatever severity: `<file> <rule> <path>: <message>`.
 *
 * @param python an interpreter with `CFN_LINT`
 * @throws Error when cfn-lint itself fails
 */
export function lintTemplates(python: string, files: readonly string[]): readonly string[] {
  const settings = ['--format', 'json', '--include-checks', 'I', '--ignore-checks', ...Object.keys(EXPLAINED), '--'];
  const child = spawnSync(join(dirname(python), 'cfn-lint'), [...settings, ...files], {
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  // Exit codes 2 to 15 are bits of what was found; anything else, or no JSON, is cfn-lint failing.
  if (child.status === null || child.status === 1 || child.status > 15) {
    throw new Error(`cfn-lint ended with ${child.status ?? child.signal}: ${child.stderr}${child.stdout}`);
  }
  const matches = JSON.parse(child.stdout) as readonly Match[];
  return matches.map(
    ({ Rule, Message, Filename, Location }) =>
      `${basename(Filename)} ${Rule.Id} ${(Location.Path ?? []).join('/')}: ${Message}`,
  );
}

/** As `lintTemplates`, for the templates of stacks, which are written into a new folder. */
export function lintStacks(python: string, stacks: readonly Stack[], folder: string): readonly string[] {
  mkdirSync(folder, { recursive: true });
  const files = stacks.map((stack, index) => {
    const file = join(folder, `${index}.json`);
    writeFileSync(file, JSON.stringify(Template.fromStack(stack).toJSON()));
    return file;
  });
  return lintTemplates(python, files);
}
