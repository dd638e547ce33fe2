import { tokens } from '../lexer.ts';

/** A rule that a file breaks on purpose: `-- +tombstone waive L304: no program reads it since release 12`. */
export interface Waiver {
  readonly line: number;
  readonly rule: string;
  readonly reason: string;
}

const WAIVER = /^--\s*\+tombstone\s+waive(?:\s+(\S+?):?(?:\s+(.*))?)?$/i;

/** The waivers of a text: line comments, never text inside a literal. */
export function waiversIn(text: string): Waiver[] {
  if (!text.includes('+tombstone')) return [];
  const found: Waiver[] = [];
  let line = 1;
  let at = 0;
  for (const token of tokens(text)) {
    if (token.kind !== 'comment') continue;
    const [match, rule = '', reason = ''] = WAIVER.exec(text.slice(token.start, token.end).trimEnd()) ?? [];
    if (match === undefined) continue;
    line += text.slice(at, token.start).split('\n').length - 1;
    at = token.start;
    found.push({ line, rule: rule.toUpperCase(), reason: reason.trim() });
  }
  return found;
}
