/** Access keys of the emulator's users, whose signatures and policies it checks. */
import type { Credentials } from './deployed-endpoint.js';
import type { MiniStack } from './ministack.js';

export class AccessKeys {
  private readonly created: { readonly UserName: string; readonly AccessKeyId: string }[] = [];

  constructor(private readonly ministack: MiniStack) {}

  async create(UserName: string): Promise<Credentials> {
    const answer = await this.ministack.query('iam', 'CreateAccessKey', { UserName });
    const [accessKeyId, secretAccessKey] = ['AccessKeyId', 'SecretAccessKey'].map(
      (element) => new RegExp(`<${element}>([^<]+)<`).exec(answer)?.[1] ?? '',
    ) as [string, string];
    this.created.push({ UserName, AccessKeyId: accessKeyId });
    return { accessKeyId, secretAccessKey };
  }

  /** Deletes them all: a user who has one cannot be deleted. */
  async withdraw(): Promise<void> {
    for (const key of this.created.splice(0)) await this.ministack.query('iam', 'DeleteAccessKey', key);
  }
}
