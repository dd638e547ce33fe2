import type { Platform } from '@mikro-orm/core';
import { bindStatement } from './bound-statement.ts';
import { StatementNames } from './statement-names.ts';
import { StatementTemplates } from './statement-template.ts';

/** A statement as `pg` takes it; without a name it is parsed and planned for this call. */
export interface SentQuery {
  readonly name?: string | undefined;
  /** Whether a new column of a table makes its plan useless, which would fail a whole transaction. */
  readonly isOpen?: boolean | undefined;
  readonly text: string;
  readonly values: unknown[];
  /** Rows as lists of values in the order of the columns. */
  readonly rowMode?: 'array' | undefined;
  /** Whether it may be sent behind others that are not answered yet. */
  readonly isPipelined?: boolean | undefined;
}

/** Turns the ORM's statements, which hold `?` and values apart, into ones with parameters and, from the second time on, a name. */
export class StatementBinder {
  readonly #names = new StatementNames();
  readonly #platform: Platform;
  readonly #templates: StatementTemplates;

  constructor(platform: Platform) {
    this.#platform = platform;
    this.#templates = new StatementTemplates(platform);
  }

  /** Undefined where the values have to stay in the text. */
  bind(sql: string, params: readonly unknown[]): SentQuery | undefined {
    // Without values the core leaves `\?` as it is, which is no SQL.
    if (params.length === 0 && sql.includes('?')) return undefined;
    const bound = bindStatement(this.#templates, this.#platform, sql, params);
    if (!bound) return undefined;
    const { text, once } = bound;
    const values = [...bound.values] as unknown[];
    const named = once ? undefined : this.#names.nameOf(text);
    return named ? { name: named.name, isOpen: named.isOpen, text, values } : { text, values };
  }
}
