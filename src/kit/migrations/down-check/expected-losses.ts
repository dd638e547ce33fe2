import { tokens } from '../lexer.ts';

/** A loss that a file admits: `-- +tombstone loses=users.allowed_groups: the table holds each pair once`. */
export interface ExpectedLoss {
  readonly line: number;
  /** `table.column`, or `table.*`. */
  readonly what: string;
  readonly reason: string;
}

const LOSES = /^--\s*\+tombstone\s+loses\s*=\s*(\S*?):?(?:\s+(.*))?$/i;

/** The losses that a text admits: line comments, never text inside a literal. */
export function expectedLossesIn(text: string): ExpectedLoss[] {
  if (!/\+tombstone\s+loses/i.test(text)) return [];
  const found: ExpectedLoss[] = [];
  for (const token of tokens(text)) {
    if (token.kind !== 'comment') continue;
    const [match, what = '', reason = ''] = LOSES.exec(text.slice(token.start, token.end).trimEnd()) ?? [];
    if (match === undefined) continue;
    const line = text.slice(0, token.start).split('\n').length;
    found.push({ line, what, reason: reason.trim() });
  }
  return found;
}

/** Whether an admitted loss covers one that was found. */
export function covers({ what }: ExpectedLoss, loss: string): boolean {
  return what === loss || (what.endsWith('.*') && loss.startsWith(what.slice(0, -1)));
}
