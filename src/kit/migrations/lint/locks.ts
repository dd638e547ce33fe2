import type { AlterTableCmd, Constraint, RangeVar } from 'libpg-query';
import { REWRITE_RULES } from './rules/rewrites.ts';
import { as, droppedNames, hasOption, type LintStatement, nameOf, within } from './tree.ts';

/** From what disturbs nobody to what stops everybody, as PostgreSQL numbers them. */
export const LOCK_MODES = [
  'ACCESS SHARE',
  'ROW SHARE',
  'ROW EXCLUSIVE',
  'SHARE UPDATE EXCLUSIVE',
  'SHARE',
  'SHARE ROW EXCLUSIVE',
  'EXCLUSIVE',
  'ACCESS EXCLUSIVE',
] as const;

export type LockMode = (typeof LOCK_MODES)[number];

/** A lock that a statement takes on a table, or on an index where it names only that. */
export interface TableLock {
  readonly table: string;
  readonly mode: LockMode;
}

const WEAK_ACTIONS = /^AT_(ValidateConstraint|SetStatistics|SetOptions|ResetOptions|ClusterOn|DropCluster)$/;
const TRIGGER_ACTIONS = /^AT_(Enable|Disable)(Trig|AlwaysTrig|ReplicaTrig)/;

/**
 * The strongest lock that a statement takes on each table that it names, as far as its text tells: nothing about what a
 * function, a trigger or a DO block does, or about partitions and tables behind a cascade.
 */
export function locksOf(statement: LintStatement): TableLock[] {
  const found = statement.kind === 'AlterTableStmt' ? alterLocks(statement) : plainLocks(statement);
  const strongest = new Map<string, LockMode>();
  for (const { table, mode } of found) {
    const known = strongest.get(table);
    if (table !== '' && (!known || LOCK_MODES.indexOf(mode) > LOCK_MODES.indexOf(known)))
      strongest.set(table, mode);
  }
  return [...strongest].map(([table, mode]) => ({ table, mode }));
}

/** Whether a statement writes a whole table anew, or reads all of it. */
export function effectOf(statement: LintStatement): 'rewrites' | 'scans' | undefined {
  const nothing = { statements: [], file: {} as never };
  const broken = REWRITE_RULES.filter((rule) => rule.check(statement, nothing) !== undefined);
  if (broken.some(({ id }) => id !== 'L205')) return 'rewrites';
  if (broken.length > 0 || statement.kind === 'IndexStmt' || statement.kind === 'ReindexStmt') return 'scans';
  return commandsOf(statement).some(scans) ? 'scans' : undefined;
}

function scans({ subtype, def }: AlterTableCmd): boolean {
  if (subtype === 'AT_ValidateConstraint' || subtype === 'AT_AttachPartition') return true;
  const constraint = (def as { Constraint?: Constraint } | undefined)?.Constraint;
  return (
    subtype === 'AT_AddConstraint' &&
    !constraint?.skip_validation &&
    !constraint?.indexname &&
    constraint?.contype !== 'CONSTR_NOTNULL'
  );
}

function commandsOf(statement: LintStatement): AlterTableCmd[] {
  return (as(statement, 'AlterTableStmt')?.cmds ?? []).flatMap(
    (node) => (node as { AlterTableCmd?: AlterTableCmd }).AlterTableCmd ?? [],
  );
}

function alterLocks(statement: LintStatement): TableLock[] {
  const table = nameOf(as(statement, 'AlterTableStmt')?.relation);
  const referenced = referencedBy(statement);
  return [
    ...commandsOf(statement).flatMap((command) => actionLocks(table, command)),
    ...referenced.map((name) => ({ table: name, mode: 'SHARE ROW EXCLUSIVE' as const })),
  ];
}

function actionLocks(table: string, { subtype = 'AT_AddColumn', def }: AlterTableCmd): TableLock[] {
  const partition = (def as { PartitionCmd?: { name?: RangeVar; concurrent?: boolean } } | undefined)
    ?.PartitionCmd;
  const constraint = (def as { Constraint?: Constraint } | undefined)?.Constraint;
  if (partition) {
    const isWeak = subtype === 'AT_AttachPartition' || partition.concurrent;
    return [
      { table, mode: isWeak ? 'SHARE UPDATE EXCLUSIVE' : 'ACCESS EXCLUSIVE' },
      { table: nameOf(partition.name), mode: 'ACCESS EXCLUSIVE' },
    ];
  }
  if (subtype === 'AT_SetRelOptions' || subtype === 'AT_ResetRelOptions' || WEAK_ACTIONS.test(subtype))
    return [{ table, mode: 'SHARE UPDATE EXCLUSIVE' }];
  if (TRIGGER_ACTIONS.test(subtype) || constraint?.contype === 'CONSTR_FOREIGN')
    return [{ table, mode: 'SHARE ROW EXCLUSIVE' }];
  return [{ table, mode: 'ACCESS EXCLUSIVE' }];
}

/** Tables that new foreign keys point to: they get triggers. */
function referencedBy(statement: LintStatement): string[] {
  return within(statement.node, 'Constraint').flatMap(({ contype, pktable }) =>
    contype === 'CONSTR_FOREIGN' ? nameOf(pktable as RangeVar) : [],
  );
}

const on = (relation: RangeVar | undefined, mode: LockMode): TableLock[] => [
  { table: nameOf(relation), mode },
];
const read = (statement: LintStatement): TableLock[] =>
  within({ node: statement.node }, 'RangeVar').map((relation) => ({
    table: nameOf(relation as RangeVar),
    mode: 'ACCESS SHARE',
  }));

function plainLocks(statement: LintStatement): TableLock[] {
  const index = as(statement, 'IndexStmt');
  if (index) return on(index.relation, index.concurrent ? 'SHARE UPDATE EXCLUSIVE' : 'SHARE');
  const change = as(statement, 'InsertStmt') ?? as(statement, 'UpdateStmt') ?? as(statement, 'DeleteStmt');
  if (change) return [...on(change.relation, 'ROW EXCLUSIVE'), ...read(statement)];
  const create = as(statement, 'CreateStmt');
  if (create) {
    const parents = create.partbound ? 'ACCESS EXCLUSIVE' : 'SHARE UPDATE EXCLUSIVE';
    return [
      ...on(create.relation, 'ACCESS EXCLUSIVE'),
      ...within(create.inhRelations, 'RangeVar').flatMap((parent) => on(parent as RangeVar, parents)),
      ...referencedBy(statement).map((table) => ({ table, mode: 'SHARE ROW EXCLUSIVE' as const })),
    ];
  }
  return maintenanceLocks(statement);
}

function maintenanceLocks(statement: LintStatement): TableLock[] {
  const drop = as(statement, 'DropStmt');
  if (drop && /TABLE|INDEX|VIEW|SEQUENCE/.test(drop.removeType ?? '')) {
    const mode = drop.concurrent ? 'SHARE UPDATE EXCLUSIVE' : 'ACCESS EXCLUSIVE';
    return droppedNames(drop).map((table) => ({ table, mode }));
  }
  const rename = as(statement, 'RenameStmt');
  if (rename) {
    const isIndex = rename.renameType === 'OBJECT_INDEX';
    return on(rename.relation, isIndex ? 'SHARE UPDATE EXCLUSIVE' : 'ACCESS EXCLUSIVE');
  }
  const reindex = as(statement, 'ReindexStmt');
  if (reindex)
    return on(
      reindex.relation,
      hasOption(reindex.params, 'concurrently') ? 'SHARE UPDATE EXCLUSIVE' : 'SHARE',
    );
  const refresh = as(statement, 'RefreshMatViewStmt');
  if (refresh) return on(refresh.relation, refresh.concurrent ? 'EXCLUSIVE' : 'ACCESS EXCLUSIVE');
  const named = within(statement.node, 'RangeVar').map((relation) => nameOf(relation as RangeVar));
  return locksByKind(statement, named);
}

function locksByKind(statement: LintStatement, named: readonly string[]): TableLock[] {
  const all = (mode: LockMode): TableLock[] => named.map((table) => ({ table, mode }));
  switch (statement.kind) {
    case 'CreateTrigStmt':
      return on(as(statement, 'CreateTrigStmt')?.relation, 'SHARE ROW EXCLUSIVE');
    case 'TruncateStmt':
      return all('ACCESS EXCLUSIVE');
    case 'LockStmt':
      return all(LOCK_MODES[((statement.node as { mode?: number }).mode ?? 8) - 1] ?? 'ACCESS EXCLUSIVE');
    case 'ClusterStmt':
      return on(as(statement, 'ClusterStmt')?.relation, 'ACCESS EXCLUSIVE');
    case 'VacuumStmt': {
      const isFull = hasOption(as(statement, 'VacuumStmt')?.options, 'full');
      const tables = within(statement.node, 'VacuumRelation').map(({ relation }) =>
        nameOf(relation as RangeVar),
      );
      return tables.map((table) => ({ table, mode: isFull ? 'ACCESS EXCLUSIVE' : 'SHARE UPDATE EXCLUSIVE' }));
    }
    case 'SelectStmt':
      return as(statement, 'SelectStmt')?.lockingClause ? all('ROW SHARE') : all('ACCESS SHARE');
    default:
      return [];
  }
}
