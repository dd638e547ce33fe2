/** A piece of SQL between blanks and comments; unquoted words are in lower case. */
export interface SqlToken {
  readonly kind: 'mark' | 'name' | 'number' | 'operator' | 'sign' | 'text' | 'word';
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

/** Stands for one value, or for a list of them, in a statement that is read; both are of Unicode's private area. */
export const MARK = '\uE000';
export const LIST_MARK = '\uE001';

const PATTERNS = [
  ['blank', String.raw`\s+|--[^\n]*|/\*[^]*?\*/`],
  ['text', String.raw`'(?:[^']|'')*'`],
  ['escaped', String.raw`[eE]'(?:[^'\\]|''|\\[^])*'`],
  ['name', String.raw`"(?:[^"]|"")*"`],
  ['mark', `[${MARK}${LIST_MARK}]`],
  ['number', String.raw`\d+(?:\.\d+)?`],
  ['word', '[A-Za-z_][A-Za-z0-9_]*'],
  ['sign', '::|[(),.;[\\]]'],
  ['operator', '[-+*/<>=~!@#%^&|?]+'],
] as const;

const KINDS = PATTERNS.map(([kind]) => kind);
const TOKEN = new RegExp(
  ['escaped', ...KINDS.filter((kind) => kind !== 'escaped')]
    .map((kind) => `(?<${kind}>${PATTERNS.find(([name]) => name === kind)?.[1] ?? ''})`)
    .join('|'),
  'y',
);

/**
 * Splits a statement; undefined for what is rare and easily misread: quoting by dollars, letters beyond ASCII outside of
 * quotes, comments within comments or right behind an operator, and a mark inside a quoted text, a name or a comment.
 */
export function tokensOf(sql: string): SqlToken[] | undefined {
  const tokens: SqlToken[] = [];
  for (let start = 0; start < sql.length; start = TOKEN.lastIndex) {
    TOKEN.lastIndex = start;
    const groups = TOKEN.exec(sql)?.groups;
    if (!groups) return undefined;
    const end = TOKEN.lastIndex;
    const [kind = '', text = ''] = Object.entries(groups).find(([, found]) => found !== undefined) ?? [];
    if (kind !== 'mark' && (text.includes(MARK) || text.includes(LIST_MARK))) return undefined;
    if (kind === 'operator' && /--|\/\*/.test(text)) return undefined;
    if (kind === 'blank') {
      if (text.lastIndexOf('/*') > 0) return undefined;
      continue;
    }
    const own = (kind === 'escaped' ? 'text' : kind) as SqlToken['kind'];
    tokens.push({ kind: own, text: kind === 'word' ? text.toLowerCase() : text, start, end });
  }
  return tokens;
}
