import { escapeLiteral } from 'pg';
import { describeObject } from '../../drift/description.ts';
import { MigrationError } from '../../errors.ts';
import type { AlignStep, StepContext } from './align-step.ts';
import { briefly, patiently } from './brief.ts';
import { type ColumnDefinition, columnDefinition, typeSql } from './column-definition.ts';
import { defaultSql } from './alter.ts';
import {
  type ColumnIndex,
  ensureIndexes,
  indexesOf,
  renameColumnsSql,
  takePlaceSql,
} from './column-indexes.ts';
import { ensureConstraint } from './constraints.ts';
import { shadowFacts } from './dependents.ts';
import { fill } from './fill.ts';
import { lastOf, ownerOf, stored, temporary } from './names.ts';
import type { TableFacts } from './table-facts.ts';

/** Names and texts of one change. */
interface Change {
  readonly name: string;
  readonly table: string;
  readonly column: string;
  /** The column that takes the place of the other. */
  readonly shadow: string;
  readonly function: string;
  readonly expected: ColumnDefinition;
  readonly type: string;
  readonly isNotNull: boolean;
  /** Whether a value of the old column would be another one in the new type. */
  readonly lost: string | undefined;
}

/**
 * A column of the new type beside the old one, kept by a trigger and filled in batches, takes its place in a moment, and so do the
 * same indexes over it. Every part looks at what is there, so that a run which was killed is gone on with by running the step again.
 *
 * @param lost a condition on the old column: rows written since they were counted may not fit either.
 */
export function changeOnline(
  name: string,
  [expected, actual]: readonly [ColumnDefinition, ColumnDefinition],
  facts: TableFacts,
  lost: string | undefined,
): AlignStep {
  const table = ownerOf(name);
  const column = lastOf(name);
  const change: Change = {
    name,
    table,
    column,
    shadow: temporary(column),
    function: `${ownerOf(table)}.${temporary(lastOf(table), column)}`,
    expected,
    type: expected.type,
    lost,
    isNotNull: expected.isNotNull && actual.isNotNull,
  };
  return {
    id: `column ${name}: change the type`,
    table,
    text: `Change the type of ${name} from ${actual.type} to ${expected.type} while the table is in use: a column beside it is filled in batches and takes its place`,
    lock: 'ACCESS EXCLUSIVE',
    run: (context) => run(context, change, facts),
  };
}

async function run(context: StepContext, change: Change, facts: TableFacts): Promise<void> {
  const { session } = context;
  const { name, table, column, shadow, expected } = change;
  const now = await describeObject(session, { kind: 'column', name });
  if (now !== undefined && columnDefinition(now).type === expected.type) return;
  await keepShadow(context, change);
  const { fired, maySilence } = await shadowFacts(session, table, {
    column: stored(column),
    trigger: shadow,
  });
  await fill(context, {
    table,
    key: facts.key,
    set: `${shadow} = t.${column}::${expected.type}`,
    where: `${shadow} is distinct from ${column}::${expected.type}`,
    isSilent: fired.length > 0 && maySilence,
    text: `Copy ${name}`,
    estimate: facts.rows,
  });
  for (const [check, condition] of checksOf(change))
    await ensureConstraint(context, `${table}.${check}`, `CHECK (${condition})`);
  const indexes = await buildIndexes(context, change);
  // What is known of its values goes with it; without that, plans would be bad until the next autovacuum.
  await patiently(context, () => session.run(`ANALYZE ${table} (${shadow})`));
  await swap(context, change, indexes);
}

/** @throws MigrationError `MIGRATION.FAILED` for an index that the plan could not have seen. */
async function buildIndexes(context: StepContext, change: Change): Promise<ColumnIndex[]> {
  const indexes = await indexesOf(context.session, change);
  const hindered = indexes.find(({ hindrance }) => hindrance !== null);
  if (hindered)
    throw new MigrationError(
      'MIGRATION.FAILED',
      `The type of ${change.name} cannot be changed while the table is in use: the index ${hindered.name} has come since, and it ${hindered.hindrance}. Drop it, and run again.`,
    );
  await ensureIndexes(context, change, indexes);
  return indexes;
}

/** From here on every write keeps the shadow, whoever makes it. */
async function keepShadow(context: StepContext, change: Change): Promise<void> {
  const { session } = context;
  const { table, column, shadow, expected, function: copy } = change;
  const found = await describeObject(session, { kind: 'column', name: `${table}.${shadow}` });
  const isKept = await describeObject(session, { kind: 'trigger', name: `${table}.${shadow}` });
  if (found !== undefined && columnDefinition(found).type === expected.type && isKept !== undefined) return;
  await briefly(context, {
    tables: [table],
    lock: 'ACCESS EXCLUSIVE',
    statements: [
      `DROP TRIGGER IF EXISTS ${shadow} ON ${table}`,
      `DROP FUNCTION IF EXISTS ${copy}()`,
      `ALTER TABLE ${table} DROP COLUMN IF EXISTS ${shadow}`,
      `ALTER TABLE ${table} ADD COLUMN ${shadow} ${typeSql(expected)}`,
      `CREATE FUNCTION ${copy}() RETURNS trigger LANGUAGE plpgsql AS $copy$
BEGIN
  NEW.${shadow} := NEW.${column}::${expected.type};
  RETURN NEW;
END
$copy$`,
      `CREATE TRIGGER ${shadow} BEFORE INSERT OR UPDATE ON ${table} FOR EACH ROW EXECUTE FUNCTION ${copy}()`,
      // Replication, too, writes rows.
      `ALTER TABLE ${table} ENABLE ALWAYS TRIGGER ${shadow}`,
    ],
  });
}

/** Proofs for all rows, which are read without a lock that anybody would notice; the last lets NOT NULL do without another look. */
function checksOf({
  column,
  shadow,
  expected,
  isNotNull,
  lost,
}: Change): [name: string, condition: string][] {
  return [
    ...(lost === undefined ? [] : [[temporary(column, 'fits'), `(NOT ${lost})`] as [string, string]]),
    [temporary(column, 'same'), `(NOT (${shadow} IS DISTINCT FROM (${column})::${expected.type}))`],
    ...(isNotNull ? [[temporary(column, 'not_null'), `(${shadow} IS NOT NULL)`] as [string, string]] : []),
  ];
}

async function swap(context: StepContext, change: Change, indexes: readonly ColumnIndex[]): Promise<void> {
  const { name, table, column, shadow, expected, isNotNull, function: copy } = change;
  const [same, notNull] = [temporary(column, 'same'), temporary(column, 'not_null')];
  const { comment } = await shadowFacts(context.session, table, { column: stored(column), trigger: shadow });
  const columnNames = await renameColumnsSql(context.session, change, indexes);
  const alter = `ALTER TABLE ${table}`;
  await briefly(context, {
    tables: [table],
    lock: 'ACCESS EXCLUSIVE',
    statements: [
      ...columnNames,
      `DROP TRIGGER ${shadow} ON ${table}`,
      `DROP FUNCTION ${copy}()`,
      `${alter} DROP CONSTRAINT ${same}`,
      `${alter} DROP COLUMN ${column}`,
      `${alter} RENAME COLUMN ${shadow} TO ${column}`,
      ...takePlaceSql(change, indexes),
      ...(isNotNull
        ? [`${alter} ALTER COLUMN ${column} SET NOT NULL`, `${alter} DROP CONSTRAINT ${notNull}`]
        : []),
      ...(expected.default === undefined ? [] : [`${alter} ${defaultSql(name, expected.default)}`]),
      ...(comment === null ? [] : [`COMMENT ON COLUMN ${name} IS ${escapeLiteral(comment)}`]),
    ],
  });
}
