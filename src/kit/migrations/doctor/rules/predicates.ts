import type { ConditionForm } from '../condition.ts';
import type { DoctorFacts } from '../facts.ts';
import { liveWhere, replaceIndex, shownIn, softIndexes } from '../mend-index.ts';
import type { Ailment, DoctorRule } from '../rule.ts';

/** Rules about how the predicate of an index is written. */
export const PREDICATE_RULES: readonly DoctorRule[] = [
  {
    id: 'D401',
    severity: 'error',
    sentence: 'Nothing is equal to NULL, so this index has no row, and holds nothing apart if it is unique.',
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
    .filter(({ constraint, isNeededWhole }) => !constraint && !isNeededWhole)
    .filter(({ conditions }) => conditions.some(({ form }) => form === wanted))
    .map((index) => {
      const { isUnique, body } = index;
      const where = liveWhere(facts, index);
      return { about: shownIn(facts, index), sql: replaceIndex(facts, index, { isUnique, body, where }) };
    });
}
