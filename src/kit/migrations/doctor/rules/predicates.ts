import type { ConditionForm } from '../condition.ts';
import type { DoctorFacts } from '../facts.ts';
import { shownIn, softIndexes } from '../mend-index.ts';
import { madeLive } from '../mend-unique.ts';
import type { Ailment, DoctorRule } from '../rule.ts';

/** Rules about how the predicate of an index is written. */
export const PREDICATE_RULES: readonly DoctorRule[] = [
  {
    id: 'D401',
    severity: 'error',
    sentence: 'Nothing is equal to NULL, so this index has no row, and holds nothing apart.',
    alternative: 'Write IS NULL.',
    check: (facts) => withForm(facts, 'never'),
  },
  {
    id: 'D402',
    severity: 'warning',
    sentence: 'The live predicate does not prove this one, so no query of live rows can use the index.',
    alternative: 'Write the predicate as the queries do: the column IS NULL.',
    check: (facts) => withForm(facts, 'defeating'),
  },
];

function withForm(facts: DoctorFacts, wanted: ConditionForm): Ailment[] {
  return softIndexes(facts)
    .filter(({ isNeededWhole }) => !isNeededWhole)
    .filter(({ conditions }) => conditions.some(({ form }) => form === wanted))
    .map((index) => ({ about: shownIn(facts, index), sql: madeLive(facts, index) }));
}
