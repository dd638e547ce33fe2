import type { Node } from 'libpg-query';
import { bare, splitTopLevel } from './top-level.ts';

/**
 * What one condition of a predicate does with the mark:
 *
 * - `live`: a query with the live predicate proves it, so that it can use the index
 * - `dead`: it takes deleted rows only
 * - `never`: it compares with NULL and takes no row
 * - `defeating`: it means something of the mark that the planner cannot derive from the live predicate
 * - `other`: it says nothing of the mark alone
 */
export type ConditionForm = 'live' | 'dead' | 'never' | 'defeating' | 'other';

/** One of the conditions that a predicate joins by AND. */
export interface Condition {
  readonly text: string;
  readonly form: ConditionForm;
  /** No row that is deleted satisfies it. */
  readonly excludesDead: boolean;
  /** The column, when all it says is that this one is not null. */
  readonly notNull: string | undefined;
}

/** Parses one expression; undefined when the parser does not know it. */
export type ExpressionParser = (text: string) => Node | undefined;

/** Makes a parser of expressions out of one of statements. Most predicates of a database are one and the same. */
export function expressionParser(parse: (sql: string) => { stmts?: { stmt?: Node }[] }): ExpressionParser {
  const known = new Map<string, Node | undefined>();
  return (text) => {
    if (!known.has(text)) known.set(text, parsed(text));
    return known.get(text);
  };
  function parsed(text: string): Node | undefined {
    try {
      const [statement] = parse(`select where ${text}`).stmts ?? [];
      return (statement?.stmt as { SelectStmt?: { whereClause?: Node } } | undefined)?.SelectStmt
        ?.whereClause;
    } catch {
      return undefined;
    }
  }
}

/** Takes a predicate apart and judges each condition. `mark` is the column that marks a row as deleted. */
export function conditionsOf(predicate: string, mark: string, parse: ExpressionParser): Condition[] {
  const parts = splitTopLevel(bare(predicate), 'AND');
  if (parts.length > 1) return parts.flatMap((part) => conditionsOf(part, mark, parse));
  const text = bare(predicate);
  const node = parse(text);
  if (!node) return [{ text, form: 'other', excludesDead: false, notNull: undefined }];
  return [
    {
      text,
      form: formOf(node, mark),
      excludesDead: excludes(node, mark, 'dead'),
      notNull: nullTest(node, 'IS_NOT_NULL'),
    },
  ];
}

/** What a key that is this expression tells of the mark. */
export function markIn(
  expression: string,
  mark: string,
  parse: ExpressionParser,
): 'none' | 'whether' | 'instant' {
  const node = parse(bare(expression));
  if (!node || !columnsIn(node).has(mark)) return 'none';
  const isWhether = nullTest(node, 'IS_NULL') === mark || nullTest(node, 'IS_NOT_NULL') === mark;
  return isWhether ? 'whether' : 'instant';
}

function formOf(node: Node, mark: string): ConditionForm {
  const columns = columnsIn(node);
  if (!columns.has(mark)) return 'other';
  if (isImplied(node, mark, true)) return 'live';
  if (columns.size > 1 && !excludes(node, mark, 'live')) return 'other';
  if (comparesWithNull(node)) return 'never';
  return excludes(node, mark, 'live') ? 'dead' : 'defeating';
}

/** Whether the planner derives `node`, or its negation, from the mark being NULL. */
function isImplied(node: Node, mark: string, wanted: boolean): boolean {
  if (nullTest(node, wanted ? 'IS_NULL' : 'IS_NOT_NULL') === mark) return true;
  const { boolop, args } = connective(node);
  if (boolop === 'NOT_EXPR') return isImplied(args[0] as Node, mark, !wanted);
  if (args.length === 0) return false;
  // A negated AND is an OR of negations.
  const isEvery = (boolop === 'AND_EXPR') === wanted;
  return isEvery
    ? args.every((each) => isImplied(each, mark, wanted))
    : args.some((each) => isImplied(each, mark, wanted));
}

/** Whether no live row, or no dead one, can satisfy `node`. */
function excludes(node: Node, mark: string, rows: 'live' | 'dead'): boolean {
  if (nullTest(node, rows === 'dead' ? 'IS_NULL' : 'IS_NOT_NULL') === mark) return true;
  const { boolop, args } = connective(node);
  if (boolop === 'AND_EXPR') return args.some((each) => excludes(each, mark, rows));
  if (boolop === 'OR_EXPR') return args.every((each) => excludes(each, mark, rows));
  if (boolop === 'NOT_EXPR')
    return nullTest(args[0] as Node, rows === 'dead' ? 'IS_NOT_NULL' : 'IS_NULL') === mark;
  return rows === 'live' && comparesMark(node, mark);
}

interface Comparison {
  kind?: string;
  lexpr?: Node;
  rexpr?: Node;
}

/** A comparison of the column itself is never true of NULL. */
function comparesMark(node: Node, mark: string): boolean {
  const { kind, lexpr, rexpr } = inside<Comparison>(node, 'A_Expr') ?? {};
  return kind === 'AEXPR_OP' && [lexpr, rexpr].some((side) => columnOf(side) === mark);
}

function comparesWithNull(node: Node): boolean {
  const { kind, lexpr, rexpr } = inside<Comparison>(node, 'A_Expr') ?? {};
  return kind === 'AEXPR_OP' && [lexpr, rexpr].some(isNullConstant);
}

function isNullConstant(node: Node | undefined): boolean {
  return inside<{ isnull?: boolean }>(withoutCasts(node), 'A_Const')?.isnull === true;
}

/** The column that a test of this kind is about. */
function nullTest(node: Node, kind: 'IS_NULL' | 'IS_NOT_NULL'): string | undefined {
  const test = inside<{ arg?: Node; nulltesttype?: string }>(node, 'NullTest');
  return test?.nulltesttype === kind ? columnOf(test.arg) : undefined;
}

function connective(node: Node): { boolop?: string; args: readonly Node[] } {
  const { boolop, args = [] } = inside<{ boolop?: string; args?: Node[] }>(node, 'BoolExpr') ?? {};
  return boolop === undefined ? { args } : { boolop, args };
}

/** The name of a column, casts left out: a domain is read through one. */
function columnOf(node: Node | undefined): string | undefined {
  const fields = inside<{ fields?: Node[] }>(withoutCasts(node), 'ColumnRef')?.fields;
  return inside<{ sval?: string }>(fields?.at(-1), 'String')?.sval;
}

function withoutCasts(node: Node | undefined): Node | undefined {
  const cast = inside<{ arg?: Node }>(node, 'TypeCast');
  return cast ? withoutCasts(cast.arg) : node;
}

function inside<Kind>(node: Node | undefined, kind: string): Kind | undefined {
  return (node as Record<string, Kind> | undefined)?.[kind];
}

/** The names of all columns in an expression. */
function columnsIn(node: unknown): Set<string> {
  if (typeof node !== 'object' || node === null) return new Set();
  const own = columnOf(node as Node);
  if (own !== undefined) return new Set([own]);
  return new Set(Object.values(node).flatMap((value) => [...columnsIn(value)]));
}
