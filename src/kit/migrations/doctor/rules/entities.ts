import type { DoctorRule } from '../rule.ts';

/** Rules about what the entities say; without entities they are silent. */
export const ENTITY_RULES: readonly DoctorRule[] = [
  {
    id: 'D501',
    severity: 'warning',
    sentence: 'Other relations say what they show of a dead target, and this one does not.',
    alternative: "Declare it: softDelete.deadTargets(Entity, { relation: 'null' }), or 'stub', or 'hide'.",
    check: ({ model: { relations = [] } }) =>
      relations.some(({ isDeclared }) => isDeclared)
        ? relations.filter(({ isDeclared }) => !isDeclared).map(({ name }) => ({ about: name, sql: [] }))
        : [],
  },
  {
    id: 'D601',
    severity: 'error',
    sentence: 'The entities need this, and the database does not have it.',
    alternative: 'Put it into a migration, or correct the entity; "tombstone migrate drift" names the file.',
    check: ({ difference }) => difference.lacking.map((sql) => ({ about: sql.at(-1) ?? '', sql })),
  },
  {
    id: 'D602',
    severity: 'warning',
    sentence: 'The database has what no entity says: this would drop it.',
    alternative: 'Say it in the entity, or drop it in a migration when nobody needs it.',
    check: ({ difference }) => difference.surplus.map((about) => ({ about, sql: [] })),
  },
];
