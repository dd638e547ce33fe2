import { type Token, tokens } from '../lexer.ts';

/** An expression as the server prints it, without parentheses around all of it. */
export function bare(text: string): string {
  const all = [...tokens(text)];
  const first = all[0];
  if (first?.kind !== 'open' || closing(all) !== all.length - 1) return text.trim();
  return bare(text.slice(first.end, all.at(-1)?.start));
}

/** The parts of a text between separators that stand in no parentheses. */
export function splitTopLevel(text: string, separator: ',' | 'AND'): string[] {
  const parts: string[] = [];
  let depth = 0;
  let from = 0;
  for (const token of tokens(text)) {
    depth += depthChange(token);
    if (depth !== 0 || text.slice(token.start, token.end) !== separator) continue;
    parts.push(text.slice(from, token.start).trim());
    from = token.end;
  }
  return [...parts, text.slice(from).trim()];
}

/** The first parentheses of a text: what stands before, in and behind them. */
export function firstParentheses(text: string): readonly [before: string, inside: string, behind: string] {
  const all = [...tokens(text)];
  const open = all.findIndex(({ kind }) => kind === 'open');
  const close = open + closing(all.slice(open));
  const [from, to] = [all[open]?.end ?? 0, all[close]?.start ?? text.length];
  return [text.slice(0, from - 1), text.slice(from, to), text.slice(to + 1)];
}

/** Where the parenthesis that the tokens begin with is closed. */
function closing(all: readonly Token[]): number {
  let depth = 0;
  return all.findIndex((token) => (depth += depthChange(token)) === 0);
}

function depthChange({ kind }: Token): number {
  if (kind === 'open') return 1;
  return kind === 'close' ? -1 : 0;
}
