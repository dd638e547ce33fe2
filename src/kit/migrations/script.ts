import type { Connection, Submittable } from 'pg';

/** Thrown for a script of which a statement was refused, or whose connection broke. */
export class ScriptError extends Error {
  /** How many commands the server had completed by then. */
  readonly completed: number;

  constructor(completed: number, cause: unknown) {
    super('a statement of the script failed', { cause });
    this.completed = completed;
  }
}

/**
 * Several statements in one message. It counts what was completed, which the driver's own query forgets when one fails,
 * and throws rows away as they come.
 */
export class Script implements Submittable {
  readonly ended: Promise<void>;
  readonly #text: string;
  #completed = 0;
  #done: () => void = () => undefined;
  #failed: (error: ScriptError) => void = () => undefined;

  constructor(text: string) {
    this.#text = text;
    this.ended = new Promise((resolve, reject) => {
      this.#done = resolve;
      this.#failed = reject;
    });
  }

  submit(connection: Connection): void {
    connection.query(this.#text);
  }

  handleCommandComplete(): void {
    this.#completed += 1;
  }

  handleError(error: unknown): void {
    this.#failed(new ScriptError(this.#completed, error));
  }

  handleReadyForQuery(): void {
    this.#done();
  }

  handleRowDescription(): void {}

  handleDataRow(): void {}

  handleEmptyQuery(): void {}

  handleCopyInResponse(connection: { sendCopyFail(message: string): void }): void {
    connection.sendCopyFail('a migration has no rows to copy');
  }

  handleCopyData(): void {}
}
