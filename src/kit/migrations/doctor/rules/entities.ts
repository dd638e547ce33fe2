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
    sentence: 'The database is not what the entities say.',
    alternative:
      'Put the statement into a migration, or correct the entity; "tombstone migrate drift" names the file.',
    check: ({ model: { difference = [] } }) => difference.map((sql) => ({ about: sql, sql: [sql] })),
  },
];
