import { type EntityProperty, ReferenceKind } from '@mikro-orm/core';
import { referencesKey } from './referenced-key.ts';
import { MARK, type SqlToken, tokensOf } from './sql-tokens.ts';

/** What the builder of a read knows of its joins. */
interface JoiningBuilder {
  readonly state: { readonly joins: Readonly<Record<string, { readonly prop?: EntityProperty }>> };
}

type Clause = 'from' | 'joins' | 'limit' | 'order' | 'select' | 'where';

/** The words that begin a clause, in the order in which a read has them. */
const CLAUSES = new Map<string, Clause>([
  ['select', 'select'],
  ['from', 'from'],
  ['left', 'joins'],
  ['where', 'where'],
  ['order', 'order'],
  ['limit', 'limit'],
]);
const RANKS = [...CLAUSES.values()];
const JOIN_WORDS = new Set('left join as on and or not is null true false'.split(' '));
const ORDER_WORDS = new Set('order by asc desc nulls first last'.split(' '));
/** Of every table, but not among the columns that a star stands for. */
const SYSTEM_COLUMNS = /^"(?:tableoid|ctid|[cx]m(?:in|ax))"$/;

/**
 * The read with its limit inside, so that only the rows of the page are joined. PostgreSQL joins all rows first where it has to
 * sort, and reads a whole table for it when that seems cheaper than a look for each row. Undefined where a join could add a row
 * or take one away, and where the limit or the order needs one.
 */
export function withEarlyLimit(sql: string, { state: { joins } }: JoiningBuilder): string | undefined {
  const isJoined = Object.values(joins).length > 0 && Object.values(joins).every(isOfOneRow);
  if (!isJoined || !sql.includes(' limit ') || sql.includes(String.raw`\?`)) return undefined;
  // Of the same length, so that the places are those of the text.
  const tokens = tokensOf(sql.replaceAll('?', MARK));
  const clauses = tokens && clausesOf(tokens);
  const alias = clauses && aliasOf(clauses);
  if (!alias || !isMovable(clauses, alias)) return undefined;
  const textOf = (clause: Clause): string => {
    const own = clauses[clause];
    return own.length > 0 ? `${sql.slice(own[0]?.start, own.at(-1)?.end)} ` : '';
  };
  const page = `select ${columnsOf(clauses, alias)} ${textOf('from')}${textOf('where')}${textOf('order')}${textOf('limit')}`;
  const read = `${textOf('select')}from (${page.trimEnd()}) as ${alias} ${textOf('joins')}${textOf('order')}`;
  return read.trimEnd();
}

/** A relation to the primary key of a table: its join finds one row, or nulls. */
function isOfOneRow({ prop }: { readonly prop?: EntityProperty }): boolean {
  const isOwner =
    prop?.kind === ReferenceKind.MANY_TO_ONE || (prop?.kind === ReferenceKind.ONE_TO_ONE && prop.owner);
  const target = prop?.targetMeta;
  return Boolean(
    isOwner &&
    target &&
    !prop.polymorphic &&
    !prop.targetKey &&
    !target.virtual &&
    !target.view &&
    referencesKey(prop),
  );
}

type Clauses = Record<Clause, SqlToken[]>;

/** The tokens of each clause; undefined for a read with other clauses, or with these in another order. */
function clausesOf(tokens: readonly SqlToken[]): Clauses | undefined {
  const clauses: Clauses = { select: [], from: [], joins: [], where: [], order: [], limit: [] };
  let [depth, current] = [0, undefined as Clause | undefined];
  for (const token of tokens) {
    const { kind, text } = token;
    const next = depth === 0 && kind === 'word' ? CLAUSES.get(text) : undefined;
    if (next && current && RANKS.indexOf(next) < RANKS.indexOf(current)) return undefined;
    if (next === 'select' && current) return undefined;
    current = next ?? current;
    if (!current) return undefined;
    if (kind === 'sign' && text === '(') depth += 1;
    if (kind === 'sign' && text === ')') depth -= 1;
    clauses[current].push(token);
  }
  return clauses;
}

/** The quoted alias of the one table after FROM. */
function aliasOf({ from }: Clauses): string | undefined {
  const [as, alias] = from.slice(-2);
  const table = from.slice(1, -2);
  const isTable = table.length > 0 && table.every(({ kind, text }) => kind === 'name' || text === '.');
  return isTable && as?.text === 'as' && alias?.kind === 'name' ? alias.text : undefined;
}

/** Whether the limit, the order and the condition need the first table only, and the joins no value. */
function isMovable({ select, joins, where, order, limit }: Clauses, alias: string): boolean {
  const [, count, offset, skipped, ...others] = limit;
  if (order.length === 0 || others.length > 0 || !isCount(count)) return false;
  if (offset && (offset.text !== 'offset' || !isCount(skipped))) return false;
  const joined = new Set(joins.flatMap((token, at) => (joins[at - 1]?.text === 'as' ? token.text : [])));
  return (
    select.slice(1).every(isColumn) &&
    joins.every(isJoin) &&
    where.every(({ kind, text }, at) => !joined.has(text) && (at === 0 || isCondition(kind, text))) &&
    order.every(({ kind, text }, at) => {
      if (kind === 'word') return ORDER_WORDS.has(text);
      return kind === 'name' ? isOf(order, at, alias) : text === ',' || text === '.';
    }) &&
    !(isWhole(select, alias) && [...select, ...joins, ...order].some(({ text }) => SYSTEM_COLUMNS.test(text)))
  );
}

const isCount = (token: SqlToken | undefined): boolean => token?.kind === 'mark' || token?.kind === 'number';

/** Neither DISTINCT nor an expression. */
const isColumn = ({ kind, text }: SqlToken): boolean =>
  kind === 'name' || text === 'as' || text === '.' || text === ',' || text === '*';

const isJoin = ({ kind, text }: SqlToken, at: number, joins: readonly SqlToken[]): boolean => {
  if (kind === 'mark' || (text === 'join' && joins[at + 1]?.kind !== 'name')) return false;
  return kind !== 'word' || JOIN_WORDS.has(text);
};

const OTHER_CLAUSES = new Set('group having union intersect except window for fetch offset'.split(' '));
const isCondition = (kind: SqlToken['kind'], text: string): boolean =>
  kind !== 'word' || !OTHER_CLAUSES.has(text);

/** Whether the name at this place is the alias, or a column behind it. */
const isOf = (tokens: readonly SqlToken[], at: number, alias: string): boolean =>
  tokens[at + 1]?.text === '.' ? tokens[at]?.text === alias : tokens[at - 1]?.text === '.';

const isWhole = (select: readonly SqlToken[], alias: string): boolean =>
  select.some(({ text }, at) => text === '*' && select[at - 2]?.text === alias);

/** All columns where all are asked for, or else those that the read, its joins and its order name. */
function columnsOf({ select, joins, order }: Clauses, alias: string): string {
  if (isWhole(select, alias)) return `${alias}.*`;
  const names = [select, joins, order].flatMap((tokens) =>
    tokens.flatMap(({ text }, at) =>
      tokens[at - 1]?.text === '.' && tokens[at - 2]?.text === alias ? text : [],
    ),
  );
  return [...new Set(names)].map((name) => `${alias}.${name}`).join(', ');
}
