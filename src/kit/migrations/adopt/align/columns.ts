import type { SchemaDifference } from '../../drift/difference.ts';
import type { AlignStep } from './align-step.ts';
import { alter, defaultSql } from './alter.ts';
import { planType } from './change-type.ts';
import { type ColumnDefinition, columnDefinition, columnSql } from './column-definition.ts';
import type { Draft } from './draft.ts';
import { lastOf, ownerOf } from './names.ts';
import { planNotNull } from './not-null.ts';
import type { TableFacts } from './table-facts.ts';
import { isVolatile } from './volatile.ts';

/** Columns that are missing or other than expected. */
export async function planColumns(draft: Draft): Promise<void> {
  for (const difference of draft.open('column')) {
    const { name, expected, actual } = difference;
    const table = await draft.table(ownerOf(name));
    if (!table || table.isDivided || expected === undefined) continue;
    const column = columnDefinition(expected);
    if (actual === undefined) await planMissing(draft, difference, column, table);
    else await planDifferent(draft, difference, [column, columnDefinition(actual)], table);
  }
}

async function planMissing(
  draft: Draft,
  difference: SchemaDifference,
  column: ColumnDefinition,
  facts: TableFacts,
): Promise<void> {
  const { name, expected = '' } = difference;
  const needsRewrite =
    column.identity !== undefined ||
    (column.generated?.endsWith(' stored') ?? false) ||
    (column.default !== undefined && (await isVolatile(draft.request.session, column.default)));
  if (needsRewrite && facts.hasRows && !draft.isSmall(facts))
    return draft.block(
      difference,
      'Every row would get a value of its own, and the table is too large to be rewritten while it is locked. Add the column by hand: without the default first, then its values, then the default.',
    );
  const isEmpty = column.default === undefined && column.identity === undefined && !column.generated;
  if (column.isNotNull && isEmpty && facts.hasRows)
    return draft.block(
      difference,
      'The table has rows, and nothing tells what they shall have in it. Add the column by hand with its values.',
    );
  const table = ownerOf(name);
  draft.settle(
    difference,
    'columns',
    alter(table, `column ${name}: add`, `Add the column ${name} ${expected}`, [
      `ADD COLUMN ${lastOf(name)} ${columnSql(column)}`,
    ]),
  );
}

/** The parts of the difference, each with its step. */
async function planDifferent(
  draft: Draft,
  difference: SchemaDifference,
  [expected, actual]: readonly [ColumnDefinition, ColumnDefinition],
  facts: TableFacts,
): Promise<void> {
  const { name } = difference;
  const isOther =
    expected.collation !== actual.collation ||
    expected.identity !== actual.identity ||
    expected.generated !== actual.generated;
  if (isOther)
    return draft.block(
      difference,
      'How the column gets its values, or sorts them, differs. Change it by hand.',
    );
  const steps: AlignStep[] = [];
  const isRetyped = expected.type !== actual.type;
  if (isRetyped) {
    const change = await planType(draft, difference, [expected, actual], facts);
    if (!change) return;
    steps.push(change);
  }
  if (!isRetyped && expected.default !== actual.default) steps.push(changeDefault(name, expected.default));
  if (expected.isNotNull && !actual.isNotNull) {
    const required = await planNotNull(draft, difference, expected, facts);
    if (!required) return;
    // Behind the type, which brings the default: until then programs may rely on NULL.
    steps.push(...required);
  }
  if (!expected.isNotNull && actual.isNotNull)
    steps.push(
      alter(ownerOf(name), `column ${name}: allow NULL`, `Allow NULL in ${name}`, [
        `ALTER COLUMN ${lastOf(name)} DROP NOT NULL`,
      ]),
    );
  draft.settle(difference, 'columns', ...steps);
}

function changeDefault(name: string, value: string | undefined): AlignStep {
  const text =
    value === undefined ? `Remove the default of ${name}` : `Set the default of ${name} to ${value}`;
  return alter(ownerOf(name), `column ${name}: change the default`, text, [defaultSql(name, value)]);
}
