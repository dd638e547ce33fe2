import type { Platform } from '@mikro-orm/core';
import type { Dates } from './row-form.ts';
import { bindStatement } from './bound-statement.ts';
import { type AgainBound, boundAgain, valuesAgain } from './bound-again.ts';
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
  /** Instants that may be read as dates; where the statement is sent without a name they come as texts. */
  readonly dates?: Dates | undefined;
}

const MAX_KEPT = 1000;

/** Turns the ORM's statements, which hold `?` and values apart, into ones with parameters and, from the second time on, a name. */
export class StatementBinder {
  readonly #names = new StatementNames();
  readonly #platform: Platform;
  readonly #templates: StatementTemplates;
  /** By the ORM's text: what was bound before, for values of the same kinds. */
  readonly #again = new Map<string, AgainBound>();

  constructor(platform: Platform) {
    this.#platform = platform;
    this.#templates = new StatementTemplates(platform);
  }

  /** Undefined where the values have to stay in the text. */
  bind(sql: string, params: readonly unknown[]): SentQuery | undefined {
    const again = this.#again.get(sql);
    const known = again && valuesAgain(again, params);
    if (known) return this.#named(again.text, known);
    // Without values the core leaves `\?` as it is, which is no SQL.
    if (params.length === 0 && sql.includes('?')) return undefined;
    const bound = bindStatement(this.#templates, this.#platform, sql, params);
    if (!bound) return undefined;
    const { text, once } = bound;
    const values = [...bound.values] as unknown[];
    if (once) return { text, values };
    const kept = boundAgain(text, params, values);
    if (kept) this.#keep(sql, kept);
    return this.#named(text, values);
  }

  #named(text: string, values: unknown[]): SentQuery {
    const named = this.#names.nameOf(text);
    return named ? { name: named.name, isOpen: named.isOpen, text, values } : { text, values };
  }

  #keep(sql: string, kept: AgainBound): void {
    if (this.#again.size >= MAX_KEPT) this.#again.delete(this.#again.keys().next().value as string);
    this.#again.set(sql, kept);
  }
}
