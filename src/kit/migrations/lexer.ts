/** What the splitter needs to know of a piece of SQL; everything else is `other`. */
export type TokenKind = 'word' | 'literal' | 'comment' | 'open' | 'close' | 'semicolon' | 'other';

export interface Token {
  readonly kind: TokenKind;
  /** Offsets into the text, the end exclusive. */
  readonly start: number;
  readonly end: number;
}

/** A literal or comment that never ends; `start` is where it begins. */
export class UnterminatedError extends Error {
  readonly start: number;
  readonly what: string;

  constructor(start: number, what: string) {
    super(`unterminated ${what}`);
    this.start = start;
    this.what = what;
  }
}

const WORD_START = /[A-Za-z_\u0080-\uffff]/;
const WORD = /[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*/y;
const DOLLAR_TAG = /\$(?:[A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$/y;
const LINE_END = /[\r\n]/g;
// A literal goes on behind a line end and another quote, and an E'…' keeps the meaning of its backslashes there.
const CONTINUED = /[ \t\f\v]*(?:--[^\r\n]*)?[\r\n](?:[ \t\f\v\r\n]|--[^\r\n]*[\r\n])*'/y;
// U+0085 is blank to PostgreSQL's clients written in Go, and not to JavaScript.
const SPACE = /[\s\u0085]/;

/**
 * Reads SQL as PostgreSQL's own scanner does, as far as statement ends depend on it: quotes of every kind, dollar
 * quotes, nested comments.
 *
 * @throws UnterminatedError at the end of the text.
 */
export function* tokens(text: string): Generator<Token> {
  let at = 0;
  while (at < text.length) {
    const char = text[at] as string;
    if (SPACE.test(char)) {
      at += 1;
      continue;
    }
    const token = tokenAt(text, at, char);
    yield token;
    at = token.end;
  }
}

function tokenAt(text: string, at: number, char: string): Token {
  if (text.startsWith('--', at)) return { kind: 'comment', start: at, end: endOfLine(text, at) };
  if (text.startsWith('/*', at)) return { kind: 'comment', start: at, end: endOfBlockComment(text, at) };
  if (char === "'") return { kind: 'literal', start: at, end: endOfQuoted(text, at, "'", false) };
  if (char === '"') return { kind: 'literal', start: at, end: endOfQuoted(text, at, '"', false) };
  if (char === '$') return dollarAt(text, at);
  if (WORD_START.test(char)) return wordAt(text, at);
  if (char === ';') return { kind: 'semicolon', start: at, end: at + 1 };
  if (char === '(') return { kind: 'open', start: at, end: at + 1 };
  if (char === ')') return { kind: 'close', start: at, end: at + 1 };
  return { kind: 'other', start: at, end: at + 1 };
}

function wordAt(text: string, at: number): Token {
  WORD.lastIndex = at;
  const word = WORD.exec(text)?.[0] ?? '';
  const end = at + word.length;
  // Only E'…' gives the backslash a meaning; U&'…' and N'…' are quoted like a plain literal.
  const isEscapeString = word.toLowerCase() === 'e' && text[end] === "'";
  if (isEscapeString) return { kind: 'literal', start: at, end: endOfEscapeString(text, end) };
  return { kind: 'word', start: at, end };
}

function dollarAt(text: string, at: number): Token {
  DOLLAR_TAG.lastIndex = at;
  const tag = DOLLAR_TAG.exec(text)?.[0];
  if (tag === undefined) return { kind: 'other', start: at, end: at + 1 };
  const close = text.indexOf(tag, at + tag.length);
  if (close < 0) throw new UnterminatedError(at, `dollar-quoted string ${tag}`);
  return { kind: 'literal', start: at, end: close + tag.length };
}

/** A line comment ends at a carriage return too: taking what follows for prose would lose a statement. */
function endOfLine(text: string, at: number): number {
  LINE_END.lastIndex = at;
  return LINE_END.exec(text)?.index ?? text.length;
}

function endOfBlockComment(text: string, at: number): number {
  let depth = 0;
  for (let i = at; i < text.length - 1; i += 1) {
    if (text[i] === '/' && text[i + 1] === '*') {
      depth += 1;
      i += 1;
    } else if (text[i] === '*' && text[i + 1] === '/') {
      depth -= 1;
      i += 1;
      if (depth === 0) return i + 1;
    }
  }
  throw new UnterminatedError(at, 'block comment');
}

function endOfEscapeString(text: string, at: number): number {
  let end = endOfQuoted(text, at, "'", true);
  for (;;) {
    CONTINUED.lastIndex = end;
    const next = CONTINUED.exec(text);
    if (!next) return end;
    end = endOfQuoted(text, CONTINUED.lastIndex - 1, "'", true);
  }
}

function endOfQuoted(text: string, at: number, quote: string, backslash: boolean): number {
  for (let i = at + 1; i < text.length; i += 1) {
    if (backslash && text[i] === '\\') i += 1;
    else if (text[i] === quote) {
      if (text[i + 1] !== quote) return i + 1;
      i += 1;
    }
  }
  throw new UnterminatedError(at, quote === '"' ? 'quoted identifier' : 'string literal');
}
