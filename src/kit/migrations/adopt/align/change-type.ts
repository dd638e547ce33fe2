import type { SchemaDifference } from '../../drift/difference.ts';
import type { AlignStep } from './align-step.ts';
import { alter, defaultSql } from './alter.ts';
import { type ColumnDefinition, typeSql } from './column-definition.ts';
import { indexesOf } from './column-indexes.ts';
import { type Dependent, dependentsOf, shadowFacts } from './dependents.ts';
import type { Draft } from './draft.ts';
import { lastOf, ownerOf, stored, temporary } from './names.ts';
import { changeOnline } from './online-type.ts';
import type { TableFacts } from './table-facts.ts';
import { typeChange } from './type-change.ts';

/** The step that gives a column its type and its default; undefined when the difference was blocked. */
export async function planType(
  draft: Draft,
  difference: SchemaDifference,
  [expected, actual]: readonly [ColumnDefinition, ColumnDefinition],
  facts: TableFacts,
): Promise<AlignStep | undefined> {
  const change = expected.generated === undefined ? typeChange(actual.type, expected.type) : undefined;
  if (!change) {
    draft.block(
      difference,
      `Nobody has said what becomes of the values when ${actual.type} becomes ${expected.type}. Change the type by hand.`,
    );
    return undefined;
  }
  const { name } = difference;
  const isAtOnce = change.isBrief || draft.isSmall(facts);
  const dependents = await dependentsOf(draft.request.session, ownerOf(name), stored(lastOf(name)));
  const used = await hindering(draft, dependents, change.isBrief, facts);
  const reasons =
    used.length > 0 || isAtOnce
      ? used.map(({ text }) => `It is used by ${text}.`)
      : await onlineHindrances(draft, difference, expected.type, facts);
  if (reasons.length > 0) {
    draft.block(
      difference,
      `${reasons.join(' ')} The type cannot be changed while that is so and programs work. Change it by hand.`,
    );
    return undefined;
  }
  const lost = change.isLost?.(lastOf(name));
  if (isAtOnce) return alterType(name, [expected, actual], change.isBrief, lost);
  return changeOnline(name, [expected, actual], facts, lost);
}

/** What the server refuses to make anew, or would read whole tables for under its lock. */
async function hindering(
  draft: Draft,
  dependents: readonly Dependent[],
  isBrief: boolean,
  facts: TableFacts,
): Promise<Dependent[]> {
  const isSmall = draft.isSmall(facts);
  const found: Dependent[] = [];
  for (const dependent of dependents) {
    const other = dependent.other === null ? undefined : await draft.table(dependent.other);
    // A check is made anew and read for; a foreign key too, where its values have to be compared in another way.
    const isRead = dependent.kind === 'check' || !isBrief;
    const isLarge = !isSmall || (other !== undefined && !draft.isSmall(other));
    // Those are made anew beside the old ones.
    if (!isSmall && !isBrief && (dependent.kind === 'index' || dependent.kind === 'unique')) continue;
    if (dependent.kind === 'other' || (isRead && isLarge)) found.push(dependent);
  }
  return found;
}

/** Why the values cannot be copied into a column beside it. */
async function onlineHindrances(
  draft: Draft,
  { name }: SchemaDifference,
  type: string,
  { key }: TableFacts,
): Promise<string[]> {
  const { session } = draft.request;
  const [table, column, shadow] = [ownerOf(name), lastOf(name), temporary(lastOf(name))];
  const found = await shadowFacts(session, table, { column: stored(column), trigger: stored(shadow) });
  const indexes = await indexesOf(session, { table, column, shadow, type });
  return [
    ...(key.length === 0 ? ['The table has no key by which its rows could be gone through.'] : []),
    ...indexes.flatMap(({ name: index, hindrance }) =>
      hindrance === null ? [] : [`The index ${index} ${hindrance}.`],
    ),
    ...(found.hasGrants ? ['There are rights on the column alone.'] : []),
    ...(found.hasOptions ? ['The column has storage options.'] : []),
    ...found.later.map((other) => `The trigger ${other} may change its value after it was copied.`),
    ...(found.maySilence
      ? []
      : found.fired.map((other) => `The trigger ${other} would take the copying for a change of the row.`)),
  ];
}

function alterType(
  name: string,
  [expected, actual]: readonly [ColumnDefinition, ColumnDefinition],
  isBrief: boolean,
  lost: string | undefined,
): AlignStep {
  const column = lastOf(name);
  const fits = temporary(column, 'fits');
  const how = isBrief ? 'no row is read' : 'the table is small and is rewritten';
  return alter(
    ownerOf(name),
    `column ${name}: change the type`,
    `Change the type of ${name} from ${actual.type} to ${expected.type}: ${how}`,
    [
      // A row that came behind the count would be cut or rounded by the cast without a word.
      ...(lost === undefined
        ? []
        : [`ADD CONSTRAINT ${fits} CHECK (NOT ${lost})`, `DROP CONSTRAINT ${fits}`]),
      ...(actual.default === undefined ? [] : [`ALTER COLUMN ${column} DROP DEFAULT`]),
      `ALTER COLUMN ${column} TYPE ${typeSql(expected)} USING ${column}::${expected.type}`,
      ...(expected.default === undefined ? [] : [defaultSql(name, expected.default)]),
    ],
  );
}
