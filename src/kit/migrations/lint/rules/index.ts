import type { LintRule } from '../rule.ts';
import { CATALOGUE_RULES } from './catalogue.ts';
import { CONSTRAINT_RULES } from './constraints.ts';
import { CONTRACT_RULES } from './contract.ts';
import { DATA_RULES } from './data.ts';
import { FOREIGN_KEY_RULES } from './foreign-keys.ts';
import { INDEX_RULES } from './indexes.ts';
import { LOCK_RULES } from './locks.ts';
import { LOSS_RULES } from './loss.ts';
import { OBJECT_RULES } from './objects.ts';
import { REWRITE_RULES } from './rewrites.ts';
import { SESSION_RULES } from './session.ts';
import { TYPE_RULES } from './types.ts';

/** Every rule about statements, by id. */
export const LINT_RULES: readonly LintRule[] = [
  ...INDEX_RULES,
  ...CONSTRAINT_RULES,
  ...LOCK_RULES,
  ...REWRITE_RULES,
  ...CONTRACT_RULES,
  ...LOSS_RULES,
  ...SESSION_RULES,
  ...DATA_RULES,
  ...TYPE_RULES,
  ...OBJECT_RULES,
  ...FOREIGN_KEY_RULES,
  ...CATALOGUE_RULES,
].toSorted((a, b) => a.id.localeCompare(b.id));
