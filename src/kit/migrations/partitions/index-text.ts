import { tokens } from '../lexer.ts';
import { StatementCursor } from '../statement-cursor.ts';

/** A CREATE INDEX CONCURRENTLY in its parts, as the file writes them. */
export interface IndexText {
  readonly isUnique: boolean;
  readonly isGuarded: boolean;
  readonly name: string;
  readonly table: string;
  /** What stands behind the table: method, columns, predicate. It means the same on every partition. */
  readonly rest: string;
}

/** Reads a build; undefined for any other statement, and for an index without a name. */
export function indexTextOf(text: string): IndexText | undefined {
  const cursor = new StatementCursor(text);
  if (!cursor.take('create')) return undefined;
  const isUnique = cursor.take('unique');
  if (!cursor.take('index', 'concurrently')) return undefined;
  const isGuarded = cursor.take('if', 'not', 'exists');
  if (cursor.take('on')) return undefined;
  const name = cursor.name();
  if (name === undefined || !cursor.take('on')) return undefined;
  const table = cursor.name();
  return table === undefined ? undefined : { isUnique, isGuarded, name, table, rest: cursor.rest() };
}

/** The index of one partition, or of a table that has partitions itself, built without those. */
export function createIndex(
  { isUnique, rest }: IndexText,
  how: 'concurrently' | 'only',
  name: string,
  table: string,
): string {
  const unique = isUnique ? 'unique ' : '';
  return how === 'concurrently'
    ? `create ${unique}index concurrently ${name} on ${table} ${rest}`
    : `create ${unique}index ${name} on only ${table} ${rest}`;
}

/** What is wrong with a statement below the directive; undefined when nothing is. */
export function problemOfIndex(text: string): string | undefined {
  if ([...tokens(text)].some(({ kind, end }) => kind === 'semicolon' && /\S/.test(text.slice(end))))
    return 'This directive is about one statement. Put it between StatementBegin and StatementEnd alone.';
  const drop = new StatementCursor(text);
  if (drop.take('drop', 'index', 'concurrently')) {
    drop.take('if', 'exists');
    return drop.name() !== undefined && /^;?$/.test(drop.rest())
      ? undefined
      : 'Drop one index, without CASCADE. Write a statement for each, with the directive above it.';
  }
  const index = indexTextOf(text);
  if (!index)
    return 'Write CREATE [UNIQUE] INDEX CONCURRENTLY name ON table (...), or DROP INDEX CONCURRENTLY name, below this directive.';
  return index.table.toLowerCase() === 'only' || /^only\b/i.test(index.rest)
    ? 'The directive adds ONLY by itself, where it belongs. Remove it.'
    : undefined;
}
