import type { LintRule } from '../rule.ts';
import { actionsOf, as, existing, type LintStatement } from '../tree.ts';

function action(statement: LintStatement, subtypes: RegExp): string | undefined {
  return actionsOf(statement).find(({ command }) => subtypes.test(command.subtype ?? ''))?.table;
}

/** Other statements that make users of a table wait, or switch off what protects it. */
export const LOCK_RULES: readonly LintRule[] = [
  {
    id: 'L114',
    severity: 'warning',
    sentence: 'CREATE TRIGGER on an existing table waits for its writers, and new ones wait behind it.',
    alternative: 'Put it into a file of its own and run it in a quiet time.',
    check: (statement) => existing(statement, as(statement, 'CreateTrigStmt')?.relation),
  },
  {
    id: 'L115',
    severity: 'warning',
    sentence: 'ATTACH PARTITION scans the partition unless a validated CHECK proves its bounds.',
    alternative: 'Add the CHECK NOT VALID and validate it in an earlier file, then attach.',
    check: (statement) => action(statement, /^AT_AttachPartition$/),
  },
  {
    id: 'L116',
    severity: 'error',
    sentence: 'DETACH PARTITION without CONCURRENTLY stops everybody who uses the parent.',
    alternative: 'Write DETACH PARTITION ... CONCURRENTLY in a NO TRANSACTION file.',
    check: (statement) =>
      actionsOf(statement).find(
        ({ command }) =>
          command.subtype === 'AT_DetachPartition' &&
          !(command.def as { PartitionCmd?: { concurrent?: boolean } }).PartitionCmd?.concurrent,
      )?.table,
  },
  {
    id: 'L117',
    severity: 'error',
    sentence: 'REFRESH MATERIALIZED VIEW without CONCURRENTLY stops its readers.',
    alternative: 'Give it a unique index and refresh CONCURRENTLY.',
    check: (statement) => {
      const refresh = as(statement, 'RefreshMatViewStmt');
      return refresh && !refresh.concurrent ? refresh.relation?.relname : undefined;
    },
  },
  {
    id: 'L118',
    severity: 'error',
    sentence: 'Triggers that are switched off include those that check foreign keys.',
    alternative: 'Leave them on, and let the statements satisfy them.',
    check: (statement) =>
      as(statement, 'VariableSetStmt')?.name === 'session_replication_role'
        ? 'session_replication_role'
        : action(statement, /^AT_DisableTrig/),
  },
  {
    id: 'L119',
    severity: 'warning',
    sentence: 'Another replica identity, or no autovacuum, shows its price only later.',
    alternative: 'Ask who replicates the table, and put the setting back when the work is done.',
    check: (statement) =>
      action(statement, /^AT_ReplicaIdentity$/) ??
      actionsOf(statement).find(
        ({ command }) =>
          command.subtype === 'AT_SetRelOptions' &&
          JSON.stringify(command.def).includes('autovacuum_enabled'),
      )?.table,
  },
];
