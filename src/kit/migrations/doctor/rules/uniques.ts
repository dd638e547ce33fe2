import { type DoctorFacts, type IndexFacts, primaryOf } from '../facts.ts';
import { dropIndex, markOf, shownIn, softIndexes } from '../mend-index.ts';
import { madeLive } from '../mend-unique.ts';
import type { DoctorRule } from '../rule.ts';
import { firstParentheses, splitTopLevel } from '../top-level.ts';

/** Rules about what may exist only once. */
export const UNIQUE_RULES: readonly DoctorRule[] = [
  {
    id: 'D101',
    severity: 'error',
    sentence: 'A deleted row keeps its value taken, so that no live row can have it.',
    alternative: 'Make the unique index one of live rows, or waive it where a value must never come back.',
    check: (facts) =>
      softIndexes(facts)
        .filter((index) => isOfDeadRowsToo(facts, index))
        .map((index) => ({ about: shownIn(facts, index), sql: madeLive(facts, index) })),
  },
  {
    id: 'D102',
    severity: 'error',
    sentence:
      'The mark is a key of this unique index, and NULLs are distinct, so live rows may repeat each other.',
    alternative: 'Take the mark out of the keys, and make it an index of live rows.',
    check: (facts) =>
      softIndexes(facts)
        .filter((index) => isBlunt(facts, index))
        .map((index) => ({ about: shownIn(facts, index), sql: withoutMark(facts, index) })),
  },
  {
    id: 'D103',
    severity: 'error',
    sentence: 'A deleted row still excludes others by this constraint.',
    alternative:
      'Give the exclusion constraint a predicate of live rows, in a quiet time: it cannot be built beforehand.',
    check: (facts) =>
      softIndexes(facts)
        .filter(({ constraint }) => constraint?.type === 'x')
        .filter(({ conditions, keys }) => !tellsDead(conditions) && keys.every(({ mark }) => mark === 'none'))
        .map((index) => ({ about: shownIn(facts, index), sql: madeLive(facts, index) })),
  },
];

/** Whether rows that are deleted are out already, or meant, or the business of another rule. */
const tellsDead = (conditions: IndexFacts['conditions']): boolean =>
  conditions.some(({ form, excludesDead }) => excludesDead || ['dead', 'never', 'defeating'].includes(form));

function isOfDeadRowsToo(facts: DoctorFacts, index: IndexFacts): boolean {
  const { isUnique, isPrimary, isNeededWhole, conditions, keys } = index;
  if (!isUnique || isPrimary || isNeededWhole || tellsDead(conditions)) return false;
  return keys.every(({ mark }) => mark !== 'instant') && !holdsPrimaryKey(facts, index);
}

/** A key that holds the primary key repeats nothing anyway; it is there for a foreign key. */
function holdsPrimaryKey(facts: DoctorFacts, { table, keys }: IndexFacts): boolean {
  const primary = primaryOf(facts, table);
  return primary?.keys.every(({ column }) => keys.some((key) => key.column === column)) ?? false;
}

/** A mark in the keys distinguishes every live row from every other one. */
function isBlunt(facts: DoctorFacts, index: IndexFacts): boolean {
  const { isUnique, isPrimary, isNeededWhole, isNullsNotDistinct, conditions, keys } = index;
  if (!isUnique || isPrimary || isNeededWhole || isNullsNotDistinct || holdsPrimaryKey(facts, index))
    return false;
  const mark = markOf(facts, index);
  return keys.some(({ column }) => column === mark) && !conditions.some(({ form }) => form === 'dead');
}

/** An index of the mark alone has nothing left without it. */
function withoutMark(facts: DoctorFacts, index: IndexFacts): string[] {
  const mark = markOf(facts, index);
  const [, inside] = firstParentheses(index.body);
  const texts = splitTopLevel(inside, ',').filter((_, at) => index.keys[at]?.column !== mark);
  const keys = index.keys.filter(({ column }) => column !== mark);
  return keys.length === 0 ? dropIndex(facts, index) : madeLive(facts, index, { keys, texts });
}
