import { type Token, tokens } from './lexer.ts';

/** Whether a statement is a COPY that takes its rows from the client, which only psql can send. */
export function copiesFromClient(statement: string): boolean {
  if (!/^copy\b/i.test(statement)) return false;
  let previous = '';
  for (const token of tokens(statement)) {
    if (token.kind === 'comment') continue;
    const word = statement.slice(token.start, token.end).toLowerCase();
    if (previous === 'from' && word === 'stdin') return true;
    previous = word;
  }
  return false;
}

const RESTRICT = /\\(un)?restrict[ \t]+([A-Za-z0-9]+)[ \t\r]*(?=\n|$)/y;

/**
 * Finds what belongs to a client and not to the server: commands and variables of psql, MySQL's DELIMITER. Newer versions of
 * pg_dump enclose their output in `\restrict` and `\unrestrict`; that pair means nothing here and is passed over.
 */
export class ClientSyntax {
  #brackets = 0;
  #restrictedBy: { readonly key: string; readonly start: number } | undefined;

  /** Where the pair of pg_dump that begins at `start` ends. */
  endOfRestrict(text: string, start: number): number | undefined {
    if (start > 0 && text[start - 1] !== '\n') return undefined;
    RESTRICT.lastIndex = start;
    const [line, closing, key = ''] = RESTRICT.exec(text) ?? [];
    if (line === undefined) return undefined;
    if (closing ? this.#restrictedBy?.key !== key : this.#restrictedBy) return undefined;
    this.#restrictedBy = closing ? undefined : { key, start };
    return start + line.length;
  }

  /** Where a `\restrict` without its partner stands. */
  openRestrict(): number | undefined {
    return this.#restrictedBy?.start;
  }

  /** What is wrong with a token, if it is no SQL. */
  problemAt(token: Token, text: string, isFirst: boolean): string | undefined {
    const char = text[token.start];
    if (char === '[') this.#brackets += 1;
    if (char === ']') this.#brackets -= 1;
    if (char === '\\') return 'A command of psql is not SQL. Remove it, or write it as SQL.';
    // Inside brackets a colon with a name behind it is a slice of an array.
    if (char === ':' && this.#brackets <= 0 && isVariable(text, token.start))
      return 'A variable of psql is not SQL. Write its value, or "-- +goose ENVSUB ON" and ${NAME}.';
    if (isFirst && token.kind === 'word' && /^delimiter$/i.test(text.slice(token.start, token.end)))
      return 'DELIMITER is a command of MySQL. Remove it: function bodies are found by their dollar quotes.';
    return undefined;
  }

  reset(): void {
    this.#brackets = 0;
  }
}

function isVariable(text: string, colon: number): boolean {
  return text[colon - 1] !== ':' && /[A-Za-z_'"]/.test(text[colon + 1] ?? '');
}
