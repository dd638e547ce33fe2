import type { NewMigration } from '../create.ts';
import { LIVE_COLUMN, liveNames } from './names.ts';
import { isSelf, type LiveRelation, type LiveTable, type Marks, quoted, sqlName } from './relation.ts';
import { addForeignKey, dropForeignKey, liveExpression } from './sql.ts';

/** The check that holds the live column to the mark, whoever writes past its trigger. */
export function addCheck(table: LiveTable, mark: string): string {
  const check = quoted(liveNames.check(table.name));
  return `ADD CONSTRAINT ${check} CHECK (${quoted(LIVE_COLUMN)} IS NOT DISTINCT FROM ${liveExpression(mark)}) NOT VALID`;
}

export const dropCheck = (table: LiveTable): string =>
  `DROP CONSTRAINT ${quoted(liveNames.check(table.name))}`;

/** A constraint to be validated; Down gives it back as it was before. */
interface Late {
  readonly name: string;
  readonly drop: string;
  readonly add: string;
}

/**
 * The files that check the rows which were there before the guard, one for each table. The last one fails where a live child has a
 * dead parent.
 */
export function validateMigrations(relation: LiveRelation, marks: Marks): NewMigration[] {
  const { child, parent } = relation;
  const key: Late = {
    name: liveNames.foreignKey(child.name, relation.columns),
    drop: dropForeignKey(relation),
    add: addForeignKey(relation, true),
  };
  const check = (table: LiveTable, mark: string): Late[] =>
    table.hasLiveCheck
      ? [{ name: liveNames.check(table.name), drop: dropCheck(table), add: addCheck(table, mark) }]
      : [];
  const above = isSelf(relation) ? [] : check(parent, marks.parent);
  return [
    ...(above.length > 0 ? [validate(parent, above, `validate ${LIVE_COLUMN} of ${parent.name}`)] : []),
    validate(
      child,
      [...check(child, marks.child), key],
      `validate the live parent of ${child.name} by ${relation.columns.join(' ')}`,
    ),
  ];
}

function validate(table: LiveTable, all: readonly Late[], description: string): NewMigration {
  const alter = (actions: readonly string[]) => `ALTER TABLE ${sqlName(table)}\n  ${actions.join(',\n  ')};`;
  return {
    description,
    head: [
      '-- Reads the table while everybody works on. "tombstone live-parent check" names the rows where it fails.',
    ],
    up: [alter(all.map(({ name }) => `VALIDATE CONSTRAINT ${quoted(name)}`))],
    down: [alter([...all.map(({ drop }) => drop), ...all.map(({ add }) => add)])],
  };
}
