import type { DoctorRule } from '../rule.ts';
import { ENTITY_RULES } from './entities.ts';
import { FOREIGN_KEY_RULES } from './foreign-keys.ts';
import { INDEX_RULES } from './indexes.ts';
import { PREDICATE_RULES } from './predicates.ts';
import { UNIQUE_RULES } from './uniques.ts';

/** Every rule about a database, by id. */
export const DOCTOR_RULES: readonly DoctorRule[] = [
  ...UNIQUE_RULES,
  ...FOREIGN_KEY_RULES,
  ...INDEX_RULES,
  ...PREDICATE_RULES,
  ...ENTITY_RULES,
];
