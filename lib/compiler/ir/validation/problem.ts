export interface Problem {
  /** Stable, upper snake case. */
  readonly code: string;
  /** What is wrong and where. */
  readonly message: string;
  readonly advice: string;
}
