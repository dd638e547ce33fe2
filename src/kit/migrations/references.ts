import { type Token, tokens } from './lexer.ts';
import { type Variable, referenceAt } from './variable.ts';

/** Where a value is put in, which decides how it is quoted. */
export type Place = 'bare' | 'literal' | 'escape' | 'identifier' | 'escape identifier';

/** A place in a statement where a value of the environment comes in. */
export interface Substitution {
  /** Offsets into the statement's text as written. */
  readonly start: number;
  readonly end: number;
  readonly place: Place;
  readonly variable: Variable | '$';
  /** The dollar quote around it, which a value must not close. */
  readonly fence?: string;
}

/** Tells whether ENVSUB is on at an offset of a text. */
export type Switch = (offset: number) => boolean;

const TOGGLE = /^--\s*\+goose\s+envsub\s+(on|off)\s*$/gim;

/** Switches by offset and state, in order; off before the first. */
export function switchOf(toggles: readonly (readonly [offset: number, on: boolean])[]): Switch {
  return (offset) => toggles.findLast(([at]) => at <= offset)?.[1] ?? false;
}

/**
 * Finds the references of a text. Comments have none. A dollar-quoted body has none either, unless an ENVSUB line stands
 * inside it: `$$` and `$1` mean something to the server there.
 *
 * @throws VariableSyntaxError with an offset into the text.
 */
export function referencesIn(text: string, isOn: Switch, offset = 0, fence?: string): Substitution[] {
  const found: Substitution[] = [];
  let skipTo = 0;
  for (const token of tokens(text)) {
    if (token.start < skipTo || token.kind === 'comment') continue;
    if (token.kind === 'literal' && text[token.start] === '$') {
      found.push(...inBody(text, token, offset));
      continue;
    }
    const place = placeOf(text, token);
    for (let at = token.start; at < token.end; at += 1) {
      const end = isOn(at) ? endOfReference(text, at, place) : undefined;
      if (!end) continue;
      found.push({ start: offset + at, end: offset + end.end, place, variable: end.variable, fence });
      skipTo = Math.max(skipTo, end.end);
      at = end.end - 1;
    }
  }
  return found;
}

function inBody(text: string, token: Token, offset: number): Substitution[] {
  const fence = /^\$[^$]*\$/.exec(text.slice(token.start, token.end))?.[0] ?? '$$';
  const start = token.start + fence.length;
  const body = text.slice(start, token.end - fence.length);
  const toggles = [...body.matchAll(TOGGLE)].map(
    (match) => [match.index, match[1]?.toLowerCase() === 'on'] as const,
  );
  return toggles.length === 0 ? [] : referencesIn(body, switchOf(toggles), offset + start, fence);
}

function placeOf(text: string, token: Token): Place {
  if (token.kind !== 'literal') return 'bare';
  const first = text[token.start];
  const isUnicode = /u&$/i.test(text.slice(Math.max(0, token.start - 2), token.start));
  if (first === '"') return isUnicode ? 'escape identifier' : 'identifier';
  return first === "'" && !isUnicode ? 'literal' : 'escape';
}

function endOfReference(text: string, at: number, place: Place): ReturnType<typeof referenceAt> {
  const pair = text.slice(at, at + 2);
  // A backslash escapes the sign, and so does the sign itself, as in goose; outside quotes "$$" opens a dollar quote.
  if (pair === '\\$' || (pair === '$$' && place !== 'bare')) return { end: at + 2, variable: '$' };
  if (pair[0] !== '$') return undefined;
  const isInsideName = place === 'bare' && /[\w\u0080-\uffff]/.test(text[at - 1] ?? '') && pair !== '${';
  return isInsideName ? undefined : referenceAt(text, at);
}
