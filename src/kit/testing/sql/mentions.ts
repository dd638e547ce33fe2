import { aliasOf, isTested, type NullTest, nullTestsOf, type RangeVar } from './null-tests.ts';
import type { Node } from './parser.ts';
import { type SoftDeletableTable, tableNamed } from './tables.ts';

/**
 * What a statement does to a soft-deletable table without the predicate. `delete` and `truncate` remove rows for good, with
 * or without one; `body` is code inside a text, which nobody has looked into.
 */
export type Deed = 'read' | 'update' | 'conflict' | 'merge' | 'delete' | 'truncate' | 'body';

/** One place of a statement that {@link Deed does} something to a table. */
export interface Mention {
  readonly deed: Deed;
  readonly table: string;
  readonly alias: string;
  /** In bytes. */
  readonly location: number;
}

type Names = ReadonlySet<string>;
type Branch = (node: Node, hidden: Names) => void;

const NOTHING: Names = new Set();

/**
 * Finds the unguarded mentions in one statement. Each query level answers for itself: a test on an alias counts in the WHERE
 * and in the joins of the level that has the alias in its FROM, and nowhere else.
 */
export class MentionFinder {
  readonly #found: Mention[] = [];
  readonly #tables: readonly SoftDeletableTable[];
  readonly #levels: Readonly<Record<string, Branch>> = {
    SelectStmt: (node, hidden) => this.#select(node, hidden),
    UpdateStmt: (node, hidden) => this.#update(node, hidden),
    DeleteStmt: (node, hidden) => this.#delete(node, hidden),
    InsertStmt: (node, hidden) => this.#insert(node, hidden),
    MergeStmt: (node, hidden) => this.#merge(node, hidden),
    TruncateStmt: (node) => this.#truncate(node),
    CopyStmt: (node, hidden) => this.#copy(node, hidden),
    DoStmt: () => this.#body(),
    CreateFunctionStmt: (node, hidden) => this.#function(node, hidden),
  };

  constructor(tables: readonly SoftDeletableTable[]) {
    this.#tables = tables;
  }

  find(statement: Node): readonly Mention[] {
    this.#visit(statement, NOTHING);
    return this.#found;
  }

  /** `hidden` are the names of common table expressions, which stand before tables of the same name. */
  #visit(node: unknown, hidden: Names): void {
    if (Array.isArray(node)) return node.forEach((item) => this.#visit(item, hidden));
    if (typeof node !== 'object' || node === null) return;
    for (const [kind, value] of Object.entries(node)) {
      const level = this.#levels[kind];
      if (level) level(value as Node, hidden);
      else this.#visit(value, hidden);
    }
  }

  #select(node: Node, hidden: Names): void {
    const { withClause, fromClause, larg, rarg, ...others } = node;
    const names = this.#with(withClause, hidden);
    for (const arm of [larg, rarg]) if (arm) this.#select(arm as Node, names);
    this.#from(fromClause, nullTestsOf(node['whereClause']), names);
    this.#visit(others, names);
  }

  #update(node: Node, hidden: Names): void {
    const { withClause, relation, fromClause, ...others } = node;
    const names = this.#with(withClause, hidden);
    const tests = nullTestsOf(node['whereClause']);
    this.#mention('update', relation, tests);
    this.#from(fromClause, tests, names);
    this.#visit(others, names);
  }

  #delete(node: Node, hidden: Names): void {
    const { withClause, relation, usingClause, ...others } = node;
    const names = this.#with(withClause, hidden);
    this.#mention('delete', relation);
    this.#from(usingClause, nullTestsOf(node['whereClause']), names);
    this.#visit(others, names);
  }

  #insert(node: Node, hidden: Names): void {
    const { withClause, relation, ...others } = node;
    const conflict = node['onConflictClause'] as Node | undefined;
    const names = this.#with(withClause, hidden);
    if (conflict?.['action'] === 'ONCONFLICT_UPDATE')
      this.#mention('conflict', relation, nullTestsOf(conflict['whereClause']));
    this.#visit(others, names);
  }

  /** The condition of the join guards the target where rows match, but not the rows that nothing matches. */
  #merge(node: Node, hidden: Names): void {
    const { withClause, relation, sourceRelation, ...others } = node;
    const names = this.#with(withClause, hidden);
    const joined = nullTestsOf(node['joinCondition']);
    const clauses = (node['mergeWhenClauses'] as { MergeWhenClause: Node }[]).map(
      (one) => one.MergeWhenClause,
    );
    for (const { commandType, matchKind, condition } of clauses) {
      const tests = [...nullTestsOf(condition), ...(matchKind === 'MERGE_WHEN_MATCHED' ? joined : [])];
      if (commandType === 'CMD_DELETE') this.#mention('delete', relation);
      if (commandType === 'CMD_UPDATE') this.#mention('merge', relation, tests);
    }
    const inserts = clauses.some(({ matchKind }) => matchKind === 'MERGE_WHEN_NOT_MATCHED_BY_TARGET');
    this.#from([sourceRelation], inserts ? [] : joined, names);
    this.#visit(others, names);
  }

  #truncate(node: Node): void {
    for (const { RangeVar: relation } of node['relations'] as Node[]) this.#mention('truncate', relation);
  }

  #copy({ relation, query, is_from: isFrom }: Node, hidden: Names): void {
    if (relation && !isFrom) this.#mention('read', relation);
    this.#visit(query, hidden);
  }

  /** A body in BEGIN ATOMIC is parsed like the rest; one in a text is not. */
  #function(node: Node, hidden: Names): void {
    const options = (node['options'] ?? []) as { DefElem: { defname: string } }[];
    if (options.some((option) => option.DefElem.defname === 'as')) this.#body();
    this.#visit(node['sql_body'], hidden);
  }

  #body(): void {
    this.#found.push({ deed: 'body', table: '', alias: '', location: 0 });
  }

  #from(items: unknown, tests: readonly NullTest[], hidden: Names): void {
    for (const item of (items ?? []) as Node[]) this.#fromItem(item, tests, hidden);
  }

  #fromItem(item: Node, tests: readonly NullTest[], hidden: Names): void {
    const { RangeVar: range, JoinExpr: join, RangeTableSample: sample } = item as Record<string, Node>;
    if (range) this.#mention('read', range, tests, hidden);
    else if (join) this.#join(join, tests, hidden);
    else if (sample) this.#fromItem(sample['relation'] as Node, tests, hidden);
    else this.#visit(item, hidden);
  }

  /** The ON of an outer join says nothing about the rows of the side that it keeps. */
  #join({ jointype, larg, rarg, quals }: Node, tests: readonly NullTest[], hidden: Names): void {
    const joined = [...tests, ...nullTestsOf(quals)];
    const isInner = jointype === 'JOIN_INNER';
    this.#fromItem(larg as Node, isInner || jointype === 'JOIN_RIGHT' ? joined : tests, hidden);
    this.#fromItem(rarg as Node, isInner || jointype === 'JOIN_LEFT' ? joined : tests, hidden);
    this.#visit(quals, hidden);
  }

  /** Each expression sees the names before it; with RECURSIVE all of them. */
  #with(clause: unknown, hidden: Names): Names {
    const { ctes, recursive } = (clause ?? {}) as { ctes?: { CommonTableExpr: Node }[]; recursive?: boolean };
    const expressions = (ctes ?? []).map((one) => one.CommonTableExpr);
    const names = new Set(hidden);
    if (recursive) for (const { ctename } of expressions) names.add(ctename as string);
    for (const { ctename, ctequery } of expressions) {
      this.#visit(ctequery, new Set(names));
      names.add(ctename as string);
    }
    return names;
  }

  #mention(deed: Deed, relation: unknown, tests: readonly NullTest[] = [], hidden = NOTHING): void {
    const range = relation as RangeVar;
    if (range.schemaname === undefined && hidden.has(range.relname)) return;
    const table = tableNamed(this.#tables, range.relname, range.schemaname);
    if (!table || isTested(range, table.column, tests)) return;
    const name = range.schemaname ? `${range.schemaname}.${range.relname}` : range.relname;
    this.#found.push({ deed, table: name, alias: aliasOf(range), location: range.location ?? 0 });
  }
}
