import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';

interface Line {
  readonly type: string;
  readonly index?: number;
  readonly code?: string;
  readonly sqlState?: string;
}

/** What the interrupted run says of itself, as long as it lives. */
export class ChildLines {
  readonly #begun = new Set<number>();
  readonly #waiting = new Map<number, () => void>();
  /** The SQLSTATE of its failure, its code where it has none, or `nothing`: the run was killed, or went well. */
  failedOf = 'nothing';

  constructor({ stdout }: ChildProcess) {
    if (stdout) createInterface(stdout).on('line', (line) => this.#take(line));
  }

  /** Settles when the run begins with the file. */
  reached(file: number): Promise<void> {
    return new Promise((resolve) => {
      if (this.#begun.has(file)) resolve();
      else this.#waiting.set(file, resolve);
    });
  }

  #take(text: string): void {
    const line = parse(text);
    if (line?.type === 'failed') this.failedOf = line.sqlState ?? line.code ?? 'something else';
    if (line?.type !== 'start' || line.index === undefined) return;
    this.#begun.add(line.index);
    this.#waiting.get(line.index)?.();
  }
}

/** Of the last line a killed process may have written a part. */
function parse(text: string): Line | undefined {
  try {
    return JSON.parse(text) as Line;
  } catch {
    return undefined;
  }
}
