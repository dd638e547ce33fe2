import type { ParseResult, ScanToken } from 'libpg-query';

/** A node of PostgreSQL's own syntax tree, of which only the shape is used: `{ SelectStmt: { … } }`, lists, values. */
export type Node = Readonly<Record<string, unknown>>;

/** One statement of a text that may hold several. */
export interface Statement {
  readonly node: Node;
  /** Where its text begins and ends, in bytes, with the blanks and comments before it. */
  readonly start: number;
  readonly end: number;
}

interface Parser {
  parse(sql: string): ParseResult;
  scan(sql: string): readonly ScanToken[];
}

let parser: Promise<Parser> | undefined;

/** PostgreSQL's parser as WebAssembly: loaded when it is first asked for, and once. */
export function sqlParser(): Promise<Parser> {
  return (parser ??= load());
}

async function load(): Promise<Parser> {
  const library = await import('libpg-query');
  await library.loadModule();
  return { parse: library.parseSync, scan: (sql) => library.scanSync(sql).tokens };
}

/** The statements of a text, or `undefined` where PostgreSQL's grammar does not know it. */
export async function statementsOf(sql: string): Promise<readonly Statement[] | undefined> {
  if (sql.trim() === '') return [];
  const { parse } = await sqlParser();
  try {
    return split(parse(sql), Buffer.byteLength(sql));
  } catch {
    // A text for MikroORM has `?` where a value goes, which to PostgreSQL is an operator.
    return parsedWithoutPlaceholders(sql);
  }
}

async function parsedWithoutPlaceholders(sql: string): Promise<readonly Statement[] | undefined> {
  const { parse } = await sqlParser();
  const tokens = await tokensOf(sql);
  if (!tokens?.some(({ text }) => text.endsWith('?'))) return undefined;
  try {
    return split(parse(withoutPlaceholders(sql, tokens)), Buffer.byteLength(sql));
  } catch {
    return undefined;
  }
}

// The library hands its tokens over as JSON and leaves these as they are, so that reading it fails.
const UNESCAPED = /(?![\n\r\t\u0080-\u009f])\p{Cc}/gu;

/** The tokens of a text, comments among them, or `undefined` where one does not end. */
export async function tokensOf(sql: string): Promise<readonly ScanToken[] | undefined> {
  const { scan } = await sqlParser();
  try {
    return scan(sql.replace(UNESCAPED, ' '));
  } catch {
    return undefined;
  }
}

/** A number in the place of each `?`, of the same length, so that positions stay; `\?` is MikroORM's word for the operator. */
function withoutPlaceholders(sql: string, tokens: readonly ScanToken[]): string {
  const bytes = Buffer.from(sql);
  tokens.forEach(({ text, end }, index) => {
    const before = tokens[index - 1];
    const isEscaped = text === '?' && before?.text === '\\' && before.end === end - 1;
    if (isEscaped) bytes.write(' ', end - 2);
    else if (isPlaceholder(text)) bytes.write('0', end - 1);
  });
  return bytes.toString();
}

/** `?`, and `=?`, which the scanner takes for one operator; not `??`, which stands for a name that is not in the text. */
function isPlaceholder(text: string): boolean {
  return /^[^?'"$/-]*\?$/.test(text);
}

function split({ stmts = [] }: ParseResult, length: number): Statement[] {
  let start = 0;
  return stmts.map(({ stmt, stmt_location: location = 0, stmt_len: size }) => {
    const end = size ? location + size : length;
    const statement = { node: stmt as Node, start, end };
    start = end;
    return statement;
  });
}
