/** How many requests may be executed twice: a share of all, saved up to a small sum. */

/** What a quiet time may save up; after it so many requests in a row can be executed twice. */
const MAX_SAVED = 10;
/** Tenths do not add up in binary. */
const ROUNDING = 1e-9;

export class RetryBudget {
  private saved: number;

  /** @param share of all requests; rounded up, so that the first request of an environment may be executed twice already */
  constructor(private readonly share: number) {
    this.saved = share > 0 ? 1 - share : 0;
  }

  /** One more request is to be executed. */
  deposit(): void {
    this.saved = Math.min(MAX_SAVED, this.saved + this.share);
  }

  /** Whether it is worth waiting for one. */
  get canSave(): boolean {
    return this.share > 0;
  }

  get hasOne(): boolean {
    return this.saved >= 1 - ROUNDING;
  }

  /**
   * Whether a request may be executed a second time; then it is paid for.
   *
   * @param leaving what has to be left afterwards. Default 0
   */
  take(leaving = 0): boolean {
    if (this.saved < 1 + leaving - ROUNDING) return false;
    this.saved -= 1;
    return true;
  }

  /** What was paid for did not take place. */
  refund(): void {
    this.saved = Math.min(MAX_SAVED, this.saved + 1);
  }
}
