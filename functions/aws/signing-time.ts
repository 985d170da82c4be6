/** The time of signatures: the service's where this machine's clock is wrong, because it refuses what is off by five minutes. */

/** https://docs.aws.amazon.com/AmazonS3/latest/API/RESTAuthentication.html: fifteen minutes; others have five. */
const TOLERATED_MS = 4 * 60_000;

export class SigningTime {
  private offset = 0;

  /** `20261201T104500Z` */
  now(): string {
    return new Date(Date.now() + this.offset).toISOString().replaceAll(/[:-]|\.\d{3}/g, '');
  }

  /**
   * From the Date header of an answer.
   *
   * @returns whether what was signed until now bore a time that services refuse
   */
  learn(date: string | undefined): boolean {
    const difference = Date.parse(date ?? '') - Date.now();
    if (Number.isNaN(difference)) return false;
    const before = this.offset;
    this.offset = Math.abs(difference) > TOLERATED_MS ? difference : 0;
    return Math.abs(this.offset - before) > TOLERATED_MS;
  }
}
