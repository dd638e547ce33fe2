import { MigrationSyntaxError } from './errors.ts';
import type { ParseNote } from './parsed-migration.ts';
import { type Position, positionsOf } from './position.ts';

/** What the parser of one file has to say, by places in the text. */
export class Report {
  readonly notes: ParseNote[] = [];
  readonly position: (offset: number) => Position;
  readonly #file: string;

  constructor(file: string, text: string) {
    this.#file = file;
    this.position = positionsOf(text);
  }

  note(offset: number, text: string): void {
    this.notes.push({ ...this.position(offset), text });
  }

  /** The error to throw for a mistake at this place. */
  error(offset: number, problem: string): MigrationSyntaxError {
    const { line, column } = this.position(offset);
    return new MigrationSyntaxError(this.#file, line, column, problem);
  }
}
