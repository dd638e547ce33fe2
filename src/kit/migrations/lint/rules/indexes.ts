import type { LintRule } from '../rule.ts';
import { as, droppedNames, existing, hasOption, type LintStatement } from '../tree.ts';

/** Indexes that are built, dropped or rebuilt under the eyes of others. */
export const INDEX_RULES: readonly LintRule[] = [
  {
    id: 'L101',
    severity: 'error',
    sentence: 'CREATE INDEX without CONCURRENTLY on an existing table stops its writers for the whole build.',
    alternative: 'Write CREATE INDEX CONCURRENTLY in a NO TRANSACTION file of its own.',
    check: (statement) => {
      const index = as(statement, 'IndexStmt');
      return index && !index.concurrent ? existing(statement, index.relation) : undefined;
    },
  },
  {
    id: 'L102',
    severity: 'error',
    sentence:
      'DROP INDEX without CONCURRENTLY waits for all users of the table and makes new ones wait behind it.',
    alternative: 'Write DROP INDEX CONCURRENTLY IF EXISTS in a NO TRANSACTION file.',
    check: (statement) => {
      const drop = as(statement, 'DropStmt');
      if (drop?.removeType !== 'OBJECT_INDEX' || drop.concurrent) return undefined;
      return droppedNames(drop).join(', ');
    },
  },
  {
    id: 'L103',
    severity: 'error',
    sentence: 'REINDEX without CONCURRENTLY stops writers, and readers that want the index.',
    alternative: 'Write REINDEX ... CONCURRENTLY in a NO TRANSACTION file.',
    check: (statement) => {
      const reindex = as(statement, 'ReindexStmt');
      if (!reindex || hasOption(reindex.params, 'concurrently')) return undefined;
      return reindex.relation?.relname ?? reindex.name ?? 'the database';
    },
  },
  {
    id: 'L104',
    severity: 'error',
    sentence: 'CONCURRENTLY cannot run inside a transaction, and this file has one.',
    alternative: 'Write "-- +goose NO TRANSACTION" at the top.',
    check: (statement, { file }) =>
      file.transactional && isConcurrent(statement) ? 'CONCURRENTLY' : undefined,
  },
  {
    id: 'L105',
    severity: 'error',
    sentence:
      'A concurrent build without a name for the index leaves remains that nobody finds after a failure.',
    alternative: 'Name the index.',
    check: (statement) => {
      const index = as(statement, 'IndexStmt');
      return index?.concurrent && !index.idxname ? index.relation?.relname : undefined;
    },
  },
];

/** Whether a statement cannot run inside a transaction because of CONCURRENTLY. */
export function isConcurrent(statement: LintStatement): boolean {
  if (as(statement, 'IndexStmt')?.concurrent || as(statement, 'DropStmt')?.concurrent) return true;
  if (hasOption(as(statement, 'ReindexStmt')?.params, 'concurrently')) return true;
  return (as(statement, 'AlterTableStmt')?.cmds ?? []).some(
    (node) =>
      (node as { AlterTableCmd?: { def?: { PartitionCmd?: { concurrent?: boolean } } } }).AlterTableCmd?.def
        ?.PartitionCmd?.concurrent,
  );
}
