import type { TrialResult } from './trial.ts';

/** How often one way to fail was used, and what the interrupted runs said they failed of. */
interface Kind {
  trials: number;
  readonly failedOf: Record<string, number>;
}

/** The count of all trials. */
export class Sums {
  readonly trials: number;
  readonly skipped: readonly string[];
  #completed = 0;
  #ledgerAgrees = 0;
  #appliedTwice = 0;
  readonly #kinds: Record<string, Kind> = {};

  /** @param skipped ways to fail that this machine does not allow. */
  constructor(trials: number, skipped: readonly string[]) {
    this.trials = trials;
    this.skipped = skipped;
  }

  take(name: string, result: TrialResult | undefined): void {
    const kind = (this.#kinds[name] ??= { trials: 0, failedOf: {} });
    kind.trials += 1;
    if (result?.interrupted) kind.failedOf[result.failedOf] = (kind.failedOf[result.failedOf] ?? 0) + 1;
    if (result?.completed && result.interrupted) this.#completed += 1;
    if (result?.agrees) this.#ledgerAgrees += 1;
    if (result?.twice.length) this.#appliedTwice += 1;
  }

  get isWell(): boolean {
    return this.#completed === this.trials && this.#ledgerAgrees === this.trials && this.#appliedTwice === 0;
  }

  /** One line; readers of it know the first four keys, more may follow. */
  toJson(): string {
    const { trials, skipped } = this;
    const first = `"trials": ${trials}, "completed": ${this.#completed}, "ledgerAgrees": ${this.#ledgerAgrees}, "appliedTwice": ${this.#appliedTwice}`;
    return `{${first}, "kinds": ${JSON.stringify(this.#kinds)}, "skipped": ${JSON.stringify(skipped)}}`;
  }

  toText(): string {
    const kinds = Object.entries(this.#kinds).map(([name, { trials, failedOf }]) => {
      const reasons = Object.entries(failedOf).map(([reason, count]) => `${count} ${reason}`);
      return `${String(trials).padStart(5)}  ${name}: the run failed of ${reasons.join(', ')}`;
    });
    return [
      `${this.trials} interrupted runs: ${this.#completed} completed the next time, ${this.#ledgerAgrees} with a ledger that agrees, ${this.#appliedTwice} with something applied twice.`,
      ...kinds,
    ].join('\n');
  }
}
