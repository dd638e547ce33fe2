import type { LintRule } from '../rule.ts';
import {
  actionsOf,
  as,
  droppedNames,
  existing,
  type LintFile,
  type LintStatement,
  type nameOf,
} from '../tree.ts';
import type { KnownTable } from '../catalogue.ts';
import { DIFFERENCE_RULES } from './differences.ts';

/** Tables with more rows are worth a back-fill of their own. */
const MANY = 100_000;

const known = ({ catalogue }: LintFile, name: string | undefined): KnownTable | undefined =>
  name === undefined ? undefined : catalogue?.get(name);

/** Rules that ask the database; without one they are silent. */
export const CATALOGUE_RULES: readonly LintRule[] = [
  {
    id: 'L109',
    severity: 'error',
    sentence:
      'On a partitioned table CONCURRENTLY is refused, and without it the writers of all partitions stop.',
    alternative:
      'Write "-- +tombstone partitioned-index" above CREATE or DROP INDEX CONCURRENTLY, in a NO TRANSACTION file.',
    check: (statement, file) => {
      if (statement.isPartitionAware) return undefined;
      const index = as(statement, 'IndexStmt');
      // ON ONLY builds nothing.
      const table = index?.relation?.inh ? existing(statement, index.relation) : undefined;
      if (known(file, table)?.isPartitioned) return table;
      const drop = as(statement, 'DropStmt');
      if (drop?.removeType !== 'OBJECT_INDEX') return undefined;
      return droppedNames(drop).find((name) => isOfPartitioned(file, name));
    },
  },
  {
    id: 'L305',
    severity: 'error',
    sentence:
      'A dropped column takes keys, foreign keys and unique indexes with it that the file does not name.',
    alternative: 'Drop them by name first, in the same ALTER TABLE.',
    check: (statement, file) => {
      const named = new Set(file.statements.slice(0, statement.index + 1).flatMap(namesDropped));
      for (const { table, command } of actionsOf(statement)) {
        if (command.subtype !== 'AT_DropColumn') continue;
        const taken = goesWith(known(file, table), command.name ?? '').find((name) => !named.has(name));
        if (taken !== undefined) return `${table}.${command.name} (${taken})`;
      }
      return undefined;
    },
  },
  {
    id: 'L603',
    severity: 'warning',
    sentence: 'This table has more than 100000 rows, and one statement changes them in one transaction.',
    alternative: 'Write a back-fill, which goes batch by batch.',
    check: (statement, file) => {
      if (statement.isBatched) return undefined;
      const change = as(statement, 'UpdateStmt') ?? as(statement, 'DeleteStmt');
      const names = change ? [existing(statement, change.relation)] : sourcesOf(statement);
      return names.find((name) => (known(file, name)?.rows ?? 0) > MANY);
    },
  },
  ...DIFFERENCE_RULES,
];

function isOfPartitioned({ catalogue }: LintFile, index: string): boolean {
  const at = index.lastIndexOf('.') + 1;
  return [...(catalogue?.values() ?? [])].some(
    ({ name, isPartitioned, indexes }) =>
      isPartitioned &&
      name.slice(0, name.lastIndexOf('.') + 1) === index.slice(0, at) &&
      indexes.some((each) => each.name === index.slice(at)),
  );
}

/** Constraints and indexes that the statement drops by name. */
function namesDropped(statement: LintStatement): string[] {
  const drop = as(statement, 'DropStmt');
  const indexes = drop?.removeType === 'OBJECT_INDEX' ? droppedNames(drop) : [];
  const constraints = actionsOf(statement).flatMap(({ command }) =>
    command.subtype === 'AT_DropConstraint' ? [command.name ?? ''] : [],
  );
  return [...indexes.map((name) => name.slice(name.lastIndexOf('.') + 1)), ...constraints];
}

function goesWith(table: KnownTable | undefined, column: string): string[] {
  const constraints = (table?.constraints ?? []).filter(
    ({ type, columns }) => 'pufx'.includes(type) && columns.includes(column),
  );
  const indexes = (table?.indexes ?? []).filter(
    ({ isUnique, columns }) => isUnique && columns.includes(column),
  );
  return [...new Set([...constraints, ...indexes].map(({ name }) => name))];
}

/** Tables that an INSERT ... SELECT reads. */
function sourcesOf(statement: LintStatement): (string | undefined)[] {
  const select = (
    as(statement, 'InsertStmt')?.selectStmt as { SelectStmt?: { fromClause?: unknown[] } } | undefined
  )?.SelectStmt;
  return (select?.fromClause ?? []).map((node) => {
    const { RangeVar: relation } = node as { RangeVar?: Parameters<typeof nameOf>[0] };
    return existing(statement, relation);
  });
}
