import type {
  AlterEnumStmt,
  AlterTableCmd,
  AlterTableStmt,
  ClusterStmt,
  ColumnDef,
  Constraint,
  CreateStmt,
  CreateTrigStmt,
  DeleteStmt,
  DoStmt,
  DropdbStmt,
  DropStmt,
  IndexStmt,
  InsertStmt,
  RangeVar,
  RefreshMatViewStmt,
  ReindexStmt,
  RenameStmt,
  SelectStmt,
  TruncateStmt,
  UpdateStmt,
  VacuumStmt,
  VariableSetStmt,
} from 'libpg-query';
import type { MigrationFile } from '../files.ts';
import type { Catalogue } from './catalogue.ts';

/** The kinds of statements that rules look at, as the parser names them. */
export interface Kinds {
  AlterEnumStmt: AlterEnumStmt;
  AlterTableStmt: AlterTableStmt;
  ClusterStmt: ClusterStmt;
  CreateStmt: CreateStmt;
  CreateTrigStmt: CreateTrigStmt;
  DeleteStmt: DeleteStmt;
  DoStmt: DoStmt;
  DropdbStmt: DropdbStmt;
  DropStmt: DropStmt;
  IndexStmt: IndexStmt;
  InsertStmt: InsertStmt;
  RefreshMatViewStmt: RefreshMatViewStmt;
  ReindexStmt: ReindexStmt;
  RenameStmt: RenameStmt;
  SelectStmt: SelectStmt;
  TruncateStmt: TruncateStmt;
  UpdateStmt: UpdateStmt;
  VacuumStmt: VacuumStmt;
  VariableSetStmt: VariableSetStmt;
}

/** One parsed statement of Up. */
export interface LintStatement {
  readonly kind: string;
  readonly node: unknown;
  readonly line: number;
  /** The text that it stands in; a block may have several statements. */
  readonly source: string;
  readonly index: number;
  /** Tables that this file has created before: nobody waits for their locks. */
  readonly created: ReadonlySet<string>;
  /** The directive `partitioned-index` stands above it. */
  readonly isPartitionAware: boolean;
  /** It is the statement of a back-fill. */
  readonly isBatched: boolean;
}

/** A file with the trees of its Up statements. */
export interface LintFile {
  readonly file: MigrationFile;
  readonly statements: readonly LintStatement[];
  /** What the database has, where one was asked and the file is pending. */
  readonly catalogue?: Catalogue | undefined;
  /** Foreign keys that no file of the module gives an index: the statement that adds them, with table and columns. */
  readonly uncovered?: ReadonlyMap<LintStatement, string>;
}

/** The statement as one kind, or undefined when it is another. */
export function as<K extends keyof Kinds>(statement: LintStatement, kind: K): Kinds[K] | undefined {
  return statement.kind === kind ? (statement.node as Kinds[K]) : undefined;
}

/** A table as messages and comparisons name it; `public` is where the runner's search_path looks. */
export function nameOf(relation: RangeVar | undefined): string {
  const schema = relation?.schemaname;
  return `${schema && schema !== 'public' ? `${schema}.` : ''}${relation?.relname ?? ''}`;
}

/** The table's name if it stood there before this file, and so may be in use. */
export function existing(statement: LintStatement, relation: RangeVar | undefined): string | undefined {
  const name = nameOf(relation);
  return name === '' || statement.created.has(name) ? undefined : name;
}

/** An action of ALTER TABLE, with the table that it changes. */
export interface Action {
  readonly table: string;
  readonly command: AlterTableCmd;
  readonly column: ColumnDef | undefined;
  readonly constraint: Constraint | undefined;
}

/** The actions of an ALTER TABLE on a table that stood there before. */
export function actionsOf(statement: LintStatement): Action[] {
  const alter = as(statement, 'AlterTableStmt');
  const table = existing(statement, alter?.relation);
  if (!alter || table === undefined || alter.objtype !== 'OBJECT_TABLE') return [];
  return (alter.cmds ?? []).flatMap((node) => {
    const command = (node as { AlterTableCmd?: AlterTableCmd }).AlterTableCmd;
    if (!command) return [];
    const def = command.def as { ColumnDef?: ColumnDef; Constraint?: Constraint } | undefined;
    return [{ table, command, column: def?.ColumnDef, constraint: def?.Constraint }];
  });
}

/** The constraints of a column as it is written. */
export function constraintsOf(column: ColumnDef | undefined): Constraint[] {
  return (column?.constraints ?? []).flatMap(
    (node) => (node as { Constraint?: Constraint }).Constraint ?? [],
  );
}

/** Columns that the statement creates, with their table. */
export function columnsOf(statement: LintStatement): { table: string; column: ColumnDef }[] {
  const create = as(statement, 'CreateStmt');
  const own = (create?.tableElts ?? []).flatMap(
    (node) => (node as { ColumnDef?: ColumnDef }).ColumnDef ?? [],
  );
  const added = actionsOf(statement).filter(({ command }) => command.subtype === 'AT_AddColumn');
  return [
    ...own.map((column) => ({ table: nameOf(create?.relation), column })),
    ...added.flatMap(({ table, column }) => (column ? [{ table, column }] : [])),
  ];
}

/** A type's own name, without its schema. */
export function typeOf(column: ColumnDef | undefined): string {
  const last = column?.typeName?.names?.at(-1) as { String?: { sval?: string } } | undefined;
  return last?.String?.sval ?? '';
}

/** Names in a DROP, each with its schema unless that is `public`. */
export function droppedNames({ objects = [] }: DropStmt): string[] {
  return objects.map((object) => {
    const list = (object as { List?: { items?: unknown[] } }).List?.items ?? [object];
    const parts = list.map((item) => (item as { String?: { sval?: string } }).String?.sval ?? '');
    return (parts[0] === 'public' ? parts.slice(1) : parts).join('.');
  });
}

/** Whether an option such as `full` or `concurrently` is given. */
export function hasOption(options: readonly unknown[] | undefined, name: string): boolean {
  return (options ?? []).some(
    (node) => (node as { DefElem?: { defname?: string } }).DefElem?.defname === name,
  );
}

/** Every object inside a tree that has one of the parser's node names, such as `FuncCall`. */
export function within(tree: unknown, kind: string): Record<string, unknown>[] {
  if (typeof tree !== 'object' || tree === null) return [];
  return Object.entries(tree).flatMap(([key, value]) => {
    const inner = within(value, kind);
    return key === kind ? [value as Record<string, unknown>, ...inner] : inner;
  });
}

/** The last part of a called function's name. */
export function functionName(call: Record<string, unknown>): string {
  const parts = (call['funcname'] ?? []) as { String?: { sval?: string } }[];
  return parts.at(-1)?.String?.sval ?? '';
}
