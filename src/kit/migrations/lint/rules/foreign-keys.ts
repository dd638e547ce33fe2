import type { LintRule } from '../rule.ts';

/** The rule about foreign keys that looks at all files of a module. */
export const FOREIGN_KEY_RULES: readonly LintRule[] = [
  {
    id: 'L705',
    severity: 'warning',
    sentence: 'A foreign key without an index makes each delete of a referenced row read the whole table.',
    alternative: 'Create an index that its columns lead, in this file or a later one of the module.',
    check: (statement, { uncovered }) => uncovered?.get(statement),
  },
];
