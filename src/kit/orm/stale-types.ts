/**
 * What a statement fails with whose parameters have types that fit no more. PostgreSQL takes them from the columns when it prepares
 * the statement, and plans it anew with the same ones after a column got another type: no such operator or assignment, or a number
 * that is too large for what the column was.
 */
const STATES: ReadonlySet<unknown> = new Set(['42883', '42804', '22003']);
const MOST = 1000;

interface Doubt {
  /** How often the statement had to be prepared anew; part of its name from then on. */
  generation: number;
  isSuspect: boolean;
}

/**
 * Statements that may fail for the types of their parameters, by their names. An error does not tell: the same statement is sent
 * without its name, and only if PostgreSQL takes it then, its name was what failed.
 */
export class StaleTypes {
  readonly #doubts = new Map<string, Doubt>();

  generationOf(name: string): number {
    return this.#doubts.get(name)?.generation ?? 0;
  }

  isSuspect(name: string): boolean {
    return this.#doubts.get(name)?.isSuspect === true;
  }

  /** Whether another attempt goes another way. Of many that fail together, the first one decides for all. */
  doubts(name: string, generation: number, error: unknown): boolean {
    const { sqlState, code } = error as { sqlState?: unknown; code?: unknown };
    if (!STATES.has(sqlState ?? code)) return false;
    if (this.generationOf(name) !== generation) return true;
    if (this.#doubts.size >= MOST) this.#doubts.clear();
    this.#doubts.set(name, { generation, isSuspect: true });
    return true;
  }

  /** It was taken without its name: the next one is prepared by another name. */
  confirm(name: string): void {
    const doubt = this.#doubts.get(name);
    if (doubt?.isSuspect) this.#doubts.set(name, { generation: doubt.generation + 1, isSuspect: false });
  }
}
