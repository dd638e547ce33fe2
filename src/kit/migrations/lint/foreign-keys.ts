import type { ColumnDef, Constraint, IndexStmt } from 'libpg-query';
import { LIVE_COLUMN } from '../live-parent/names.ts';
import { as, constraintsOf, droppedNames, type LintStatement, nameOf } from './tree.ts';

interface Index {
  name: string;
  /** Leading columns; an expression is an empty name, which no key has. */
  columns: string[];
}

interface Key extends Index {
  readonly statement: LintStatement;
}

interface Table {
  readonly indexes: Index[];
  readonly keys: Key[];
}

/**
 * Foreign keys that stand without an index when the last statement has run: the statement that adds them, with the table
 * and columns. Only what the statements themselves say counts, so an index that was there before them is not seen.
 */
export function uncoveredKeys(statements: readonly LintStatement[]): ReadonlyMap<LintStatement, string> {
  const tables = new Map<string, Table>();
  for (const statement of statements) follow(tables, statement);
  const found = new Map<LintStatement, string>();
  for (const [name, { keys, indexes }] of tables)
    for (const { statement, columns } of keys) {
      if (indexes.some((index) => covers(index, columns))) continue;
      const about = `${name} (${columns.join(', ')})`;
      const before = found.get(statement);
      found.set(statement, before === undefined ? about : `${before}, ${about}`);
    }
  return found;
}

/**
 * A lookup by equality does not mind in which order its columns lead the index. The live column is true in every row that is looked
 * for, so that it need not be there.
 */
function covers(index: Index, all: readonly string[]): boolean {
  const columns = all.filter((column) => column !== LIVE_COLUMN);
  const leading = new Set(index.columns.slice(0, columns.length));
  return columns.every((column) => leading.has(column));
}

function tableOf(tables: Map<string, Table>, name: string): Table {
  const table = tables.get(name) ?? { indexes: [], keys: [] };
  tables.set(name, table);
  return table;
}

function follow(tables: Map<string, Table>, statement: LintStatement): void {
  const create = as(statement, 'CreateStmt');
  const index = as(statement, 'IndexStmt');
  const drop = as(statement, 'DropStmt');
  if (create) {
    const name = nameOf(create.relation);
    if (create.if_not_exists && tables.has(name)) return;
    const table = tableOf(tables, name);
    for (const node of create.tableElts ?? []) addElement(table, name, statement, node);
  } else if (index) addIndex(tableOf(tables, nameOf(index.relation)), index);
  else if (statement.kind === 'AlterTableStmt') alter(tables, statement);
  else if (statement.kind === 'RenameStmt') rename(tables, statement);
  else if (drop?.removeType === 'OBJECT_TABLE') for (const name of droppedNames(drop)) tables.delete(name);
  else if (drop?.removeType === 'OBJECT_INDEX') dropIndexes(tables, droppedNames(drop));
}

function addElement(table: Table, name: string, statement: LintStatement, node: unknown): void {
  const { ColumnDef: column, Constraint: constraint } = node as {
    ColumnDef?: ColumnDef;
    Constraint?: Constraint;
  };
  if (constraint) addConstraint(table, name, statement, constraint);
  for (const own of constraintsOf(column))
    addConstraint(table, name, statement, own, [column?.colname ?? '']);
}

function addConstraint(
  table: Table,
  name: string,
  statement: LintStatement,
  constraint: Constraint,
  own?: string[],
): void {
  const base = name.slice(name.lastIndexOf('.') + 1);
  const named = (columns: string[], ending: string): Index => ({
    name: constraint.conname ?? [base, ...columns, ending].join('_'),
    columns,
  });
  if (constraint.contype === 'CONSTR_FOREIGN')
    table.keys.push({ ...named(own ?? strings(constraint.fk_attrs), 'fkey'), statement });
  const isPrimary = constraint.contype === 'CONSTR_PRIMARY';
  if (!isPrimary && constraint.contype !== 'CONSTR_UNIQUE') return;
  const taken = table.indexes.find((index) => index.name === constraint.indexname);
  // The constraint gives the index that it takes its own name.
  if (taken) taken.name = constraint.conname ?? taken.name;
  else {
    const index = named(own ?? strings(constraint.keys), 'key');
    table.indexes.push(isPrimary ? { ...index, name: constraint.conname ?? `${base}_pkey` } : index);
  }
}

function addIndex(table: Table, index: IndexStmt): void {
  if (index.if_not_exists && table.indexes.some(({ name }) => name === index.idxname)) return;
  if (!/^(btree|hash)?$/.test(index.accessMethod ?? '')) return;
  const columns = (index.indexParams ?? []).map(
    (node) => (node as { IndexElem?: { name?: string } }).IndexElem?.name ?? '',
  );
  if (index.whereClause && !isNotNull(index.whereClause, columns)) return;
  table.indexes.push({ name: index.idxname ?? '', columns });
}

/** The lookup of a foreign key proves that its column is not null, and no other predicate. */
function isNotNull(where: unknown, columns: readonly string[]): boolean {
  const test = (where as { NullTest?: { nulltesttype?: string; arg?: unknown } }).NullTest;
  const fields = (test?.arg as { ColumnRef?: { fields?: unknown[] } } | undefined)?.ColumnRef?.fields;
  const column = strings(fields).at(-1) ?? '';
  return test?.nulltesttype === 'IS_NOT_NULL' && column === columns[0];
}

function alter(tables: Map<string, Table>, statement: LintStatement): void {
  const change = as(statement, 'AlterTableStmt');
  if (change?.objtype !== 'OBJECT_TABLE') return;
  const name = nameOf(change.relation);
  const table = tableOf(tables, name);
  for (const node of change.cmds ?? []) {
    const command = (node as { AlterTableCmd?: { subtype?: string; name?: string; def?: unknown } })
      .AlterTableCmd;
    const gone = command?.name ?? '';
    if (command?.subtype === 'AT_AddColumn' || command?.subtype === 'AT_AddConstraint')
      addElement(table, name, statement, command.def);
    else if (command?.subtype === 'AT_DropConstraint') remove(table, (each) => each.name === gone);
    else if (command?.subtype === 'AT_DropColumn') remove(table, ({ columns }) => columns.includes(gone));
  }
}

function remove({ indexes, keys }: Table, isGone: (each: Index) => boolean): void {
  for (const list of [indexes, keys])
    list.splice(0, list.length, ...(list.filter((each) => !isGone(each)) as Key[]));
}

function dropIndexes(tables: Map<string, Table>, names: readonly string[]): void {
  const own = new Set(names.map((name) => name.slice(name.lastIndexOf('.') + 1)));
  for (const { indexes } of tables.values())
    indexes.splice(0, indexes.length, ...indexes.filter(({ name }) => !own.has(name)));
}

function rename(tables: Map<string, Table>, statement: LintStatement): void {
  const { renameType, relation, subname, newname = '' } = as(statement, 'RenameStmt') ?? {};
  const name = nameOf(relation);
  const table = tables.get(name);
  if (renameType === 'OBJECT_TABLE' && table) {
    tables.delete(name);
    tables.set(name.slice(0, name.lastIndexOf('.') + 1) + newname, table);
  } else if (renameType === 'OBJECT_INDEX')
    for (const { indexes } of tables.values())
      for (const index of indexes) if (index.name === relation?.relname) index.name = newname;
  if (!table) return;
  for (const each of [...table.indexes, ...table.keys]) {
    if (renameType === 'OBJECT_TABCONSTRAINT' && each.name === subname) each.name = newname;
    if (renameType === 'OBJECT_COLUMN')
      each.columns = each.columns.map((column) => (column === subname ? newname : column));
  }
}

function strings(nodes: readonly unknown[] | undefined): string[] {
  return (nodes ?? []).map((node) => (node as { String?: { sval?: string } }).String?.sval ?? '');
}
