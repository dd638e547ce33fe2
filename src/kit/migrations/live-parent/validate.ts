import type { NewMigration } from '../create.ts';
import { liveNames } from './names.ts';
import { isSelf, type LiveRelation, quoted, sqlName } from './relation.ts';

/** The file that checks the rows which were there before the guard. It fails where a live child has a dead parent. */
export function validateMigration(relation: LiveRelation): NewMigration {
  const { child, parent, columns } = relation;
  const key = liveNames.foreignKey(child.name, columns);
  const checks = (isSelf(relation) ? [child] : [parent, child]).map((table) => ({
    table,
    names: [...(table.hasLiveCheck ? [liveNames.check(table.name)] : []), ...(table === child ? [key] : [])],
  }));
  const changed = checks.filter(({ names }) => names.length > 0);
  return {
    description: `validate the live parent of ${child.name} by ${columns.join(' ')}`,
    head: [
      '-- Reads the tables while everybody works on. Where it fails, "tombstone live-parent check" names the rows.',
    ],
    up: changed.map(
      ({ table, names }) =>
        `ALTER TABLE ${sqlName(table)}\n  ${names.map((name) => `VALIDATE CONSTRAINT ${quoted(name)}`).join(',\n  ')};`,
    ),
    down: [],
  };
}
