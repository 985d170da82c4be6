/** What tables of option combinations need: rows with every pair of alternatives, the findings in a stack, and what its policies allow. */
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Template } from 'aws-cdk-lib/assertions';
import { type App, Validations } from 'aws-cdk-lib/core';
import { AwsSolutionsChecks } from 'cdk-nag';
import { expect } from 'vitest';

/** Rows in which every pair of alternatives of any two groups occurs: grown greedily, each row from the pairs still missing. */
export function pairwise(sizes: readonly number[]): readonly (readonly number[])[] {
  const missing = new Set<string>();
  const pair = (left: number, leftChoice: number, right: number, rightChoice: number) =>
    left < right ? `${left}.${leftChoice}|${right}.${rightChoice}` : `${right}.${rightChoice}|${left}.${leftChoice}`;
  sizes.forEach((leftSize, left) => {
    sizes.forEach((rightSize, right) => {
      for (let a = 0; left < right && a < leftSize; a += 1) {
        for (let b = 0; b < rightSize; b += 1) missing.add(pair(left, a, right, b));
      }
    });
  });
  const rows: number[][] = [sizes.map(() => 0)];
  const remove = (row: readonly number[]) => {
    row.forEach((a, left) => {
      row.forEach((b, right) => {
        missing.delete(pair(left, a, right, b));
      });
    });
  };
  remove(rows[0] ?? []);
  while (missing.size > 0) {
    const [seed = ''] = missing;
    const row: (number | undefined)[] = sizes.map(() => undefined);
    for (const part of seed.split('|')) {
      const [group = 0, choice = 0] = part.split('.').map(Number);
      row[group] = choice;
    }
    sizes.forEach((size, group) => {
      if (row[group] !== undefined) return;
      const gain = (choice: number) =>
        row.filter((other, index) => other !== undefined && missing.has(pair(group, choice, index, other))).length;
      const choices = Array.from({ length: size }, (_, choice) => choice);
      row[group] = choices.reduce((best, choice) => (gain(choice) > gain(best) ? choice : best), 0);
    });
    rows.push(row.map((choice) => choice ?? 0));
    remove(rows.at(-1) ?? []);
  }
  return rows;
}

/** Fewer rows, with each alternative at least once: cfn-lint takes seconds for a template, and looks at single resources. */
export function holdingEveryAlternative(rows: readonly (readonly number[])[]): readonly (readonly number[])[] {
  const seen = new Set<string>();
  return rows.filter((row) => {
    const fresh = row.map((choice, group) => `${group}.${choice}`).filter((name) => !seen.has(name));
    for (const name of fresh) seen.add(name);
    return fresh.length > 0;
  });
}

/** A row's name: the alternatives in it that are no defaults. */
export const nameRows =
  (groups: readonly string[]) =>
  (row: readonly number[]): string =>
    groups
      .map((name, index) => ({ name, choice: row[index] ?? 0 }))
      .filter(({ choice }) => choice > 0)
      .map(({ name, choice }) => `${name} ${choice}`)
      .join(', ') || 'defaults';

/** Every finding of cdk-nag and of CDK's own validation, of whatever severity, from the report that a synth writes. */
export const findingsOf = (app: App, outdir: string): string[] => {
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
  const reportFile = join(outdir, 'validation-report.json');
  rmSync(reportFile, { force: true });
  delete process.env.CDK_VALIDATION;
  try {
    app.synth();
  } catch (error) {
    expect(String(error)).toMatch(/validation/i);
  } finally {
    process.env.CDK_VALIDATION = 'false';
  }
  const report = JSON.parse(readFileSync(reportFile, 'utf8')) as {
    readonly pluginReports: readonly { readonly violations: readonly { readonly ruleName: string }[] }[];
  };
  return report.pluginReports.flatMap((plugin) => plugin.violations.map((violation) => violation.ruleName));
};

export interface Statement {
  readonly Action: string | readonly string[];
  readonly Effect: string;
  readonly Resource: unknown;
  readonly Condition?: object;
}
export const propertiesOf = (template: Template, type: string) =>
  Object.values(template.findResources(type)).map(({ Properties }) => Properties as Record<string, unknown>);

/** What each statement of a template's identity policies allows, with its wildcards. */
export const statementsOf = (template: Template): Statement[] => {
  const documents = propertiesOf(template, 'AWS::IAM::Role').flatMap((role) => role.Policies ?? []);
  const policies = [...documents, ...propertiesOf(template, 'AWS::IAM::Policy')] as {
    PolicyDocument: { Statement: Statement[] };
  }[];
  return policies.flatMap((policy) => policy.PolicyDocument.Statement);
};
