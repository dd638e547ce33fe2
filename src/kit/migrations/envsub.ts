import type { Report } from './report.ts';
import { referencesIn, type Substitution, switchOf } from './references.ts';
import { VariableSyntaxError } from './variable.ts';

/** Where in a file values of the environment come in. */
export class EnvSub {
  readonly #report: Report;
  readonly #toggles: [offset: number, on: boolean][] = [];

  constructor(report: Report) {
    this.#report = report;
  }

  /** Whether it is on at the place that the parser has reached. */
  get isOn(): boolean {
    return this.#toggles.at(-1)?.[1] ?? false;
  }

  toggle(offset: number, on: boolean): void {
    this.#toggles.push([offset, on]);
  }

  /** @throws MigrationSyntaxError for a reference that has no end or makes no sense. */
  substitutionsIn(text: string, start: number): Substitution[] {
    // A body may switch it on for itself, so a file with the word anywhere is looked through.
    if (this.#toggles.length === 0 && !/envsub/i.test(text)) return [];
    const isOn = switchOf(this.#toggles);
    try {
      return referencesIn(text, (offset) => isOn(start + offset));
    } catch (error) {
      if (!(error instanceof VariableSyntaxError)) throw error;
      throw this.#report.error(start + error.start, error.message);
    }
  }
}
