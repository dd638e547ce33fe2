import { isDataError } from 'tombstone';
import { now } from './clock.ts';
import { Samples } from './samples.ts';

/** What one process measured of one operation. Calls that began in the warm-up are in `failed` and `answers` only. */
export interface Measured {
  readonly latencies: Float64Array;
  /** Answers that are part of the business, by code: the key was deleted just now. */
  readonly answers: Readonly<Record<string, number>>;
  /** Everything else that was thrown, by code. */
  readonly failed: Readonly<Record<string, number>>;
}

interface Operation {
  readonly samples: Samples;
  readonly answers: Map<string, number>;
  readonly failed: Map<string, number>;
}

/** Counts and times the calls of one process. */
export class Meter {
  readonly #operations = new Map<string, Operation>();
  readonly #from: number;
  readonly #firstMessages = new Map<string, string>();

  /** @param from the instant of `clock.ts` before which calls only warm up. */
  constructor(from: number) {
    this.#from = from;
  }

  /**
   * Runs the call and times it, whatever its end. Errors with an expected code are answers; others are counted as failures.
   *
   * @returns undefined where the call was answered with an error of either kind.
   */
  async time<T>(name: string, expected: readonly string[], call: () => Promise<T>): Promise<T | undefined> {
    const begun = now();
    try {
      return await call();
    } catch (error) {
      const code = codeOf(error);
      const isExpected = expected.includes(code);
      this.#count(name, isExpected ? 'answers' : 'failed', code);
      if (!isExpected) this.#firstMessages.set(`${name} ${code}`, messageOf(error));
      return undefined;
    } finally {
      if (begun >= this.#from) this.#of(name).samples.add(now() - begun);
    }
  }

  /** Counts an answer that is no error, such as a group that has nobody to serve it. */
  answer(name: string, code: string): void {
    this.#count(name, 'answers', code);
  }

  /** Counts an answer without an error that is wrong all the same. */
  fail(name: string, code: string, sentence: string): void {
    this.#count(name, 'failed', code);
    this.#firstMessages.set(`${name} ${code}`, sentence);
  }

  measured(): Record<string, Measured> {
    const entries = [...this.#operations].map(([name, { samples, answers, failed }]) => [
      name,
      {
        latencies: samples.values(),
        answers: Object.fromEntries(answers),
        failed: Object.fromEntries(failed),
      },
    ]);
    return Object.fromEntries(entries) as Record<string, Measured>;
  }

  /** One sentence for each kind of failure. Messages of the data layer hold no values of rows. */
  messages(): string[] {
    return [...this.#firstMessages].map(([what, message]) => `${what}: ${message}`);
  }

  #count(name: string, kind: 'answers' | 'failed', code: string): void {
    const counts = this.#of(name)[kind];
    counts.set(code, (counts.get(code) ?? 0) + 1);
  }

  #of(name: string): Operation {
    const known = this.#operations.get(name);
    if (known) return known;
    const operation = { samples: new Samples(), answers: new Map(), failed: new Map() };
    this.#operations.set(name, operation);
    return operation;
  }
}

/** A SQLSTATE says more than the kit's code for everything that it does not know. */
function codeOf(error: unknown): string {
  if (!isDataError(error)) return 'UNKNOWN';
  return error.code.startsWith('DATA.') && error.sqlState ? `${error.code} ${error.sqlState}` : error.code;
}

function messageOf(error: unknown): string {
  if (isDataError(error)) return error.message;
  // What is no error of the layer may quote a statement with its values: only its first line, and short.
  return error instanceof Error ? (error.message.split('\n')[0] ?? '').slice(0, 200) : 'no error was thrown';
}
