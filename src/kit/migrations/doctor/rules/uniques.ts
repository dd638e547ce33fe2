import { type DoctorFacts, type IndexFacts, quoted, tableOf } from '../facts.ts';
import { dropIndex, isLive, liveWhere, markOf, replaceIndex, shownIn, softIndexes } from '../mend-index.ts';
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
        .map((index) => ({ about: shownIn(facts, index), sql: excludeLive(facts, index) })),
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
function holdsPrimaryKey({ indexes }: DoctorFacts, { table, keys }: IndexFacts): boolean {
  const primary = indexes.find((index) => index.table === table && index.isPrimary);
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

function madeLive(facts: DoctorFacts, index: IndexFacts): string[] {
  const { constraint, isNullsNotDistinct, body } = index;
  const where = liveWhere(facts, index);
  // A partial index can be neither deferred nor temporal; an exclusion constraint can.
  const isExclusion =
    constraint && (constraint.isTemporal || (constraint.isDeferrable && !isNullsNotDistinct));
  return isExclusion
    ? [exchange(facts, index, exclusionOf(index, where))]
    : replaceIndex(facts, index, { isUnique: true, body, where });
}

function exclusionOf({ keys, constraint }: IndexFacts, where: string): string {
  const columns = keys.map(({ text }, at) => {
    const isPeriod = constraint?.isTemporal && at === keys.length - 1;
    return `${text} WITH ${isPeriod ? '&&' : '='}`;
  });
  const method = constraint?.isTemporal ? 'gist' : 'btree';
  return `EXCLUDE USING ${method} (${columns.join(', ')}) WHERE (${where})${timing(constraint)}`;
}

function excludeLive(facts: DoctorFacts, index: IndexFacts): string[] {
  const { constraint, predicate } = index;
  const when = timing(constraint);
  const ending = `${predicate === null ? '' : ` WHERE (${predicate})`}${when}`;
  const head = constraint?.definition.slice(0, constraint.definition.length - ending.length) ?? '';
  return [exchange(facts, index, `${head} WHERE (${liveWhere(facts, index)})${when}`)];
}

function timing(constraint: IndexFacts['constraint']): string {
  if (!constraint?.isDeferrable) return '';
  return constraint.isDeferred ? ' DEFERRABLE INITIALLY DEFERRED' : ' DEFERRABLE';
}

/** One statement, so that no moment is without the constraint. */
function exchange(facts: DoctorFacts, index: IndexFacts, definition: string): string {
  const name = quoted(index.constraint?.name ?? index.name);
  return `ALTER TABLE ${tableOf(facts, index).sql} DROP CONSTRAINT ${name}, ADD CONSTRAINT ${name} ${definition}`;
}

/** An index of the mark alone has nothing left; where another index holds live rows apart already, neither has this one. */
function withoutMark(facts: DoctorFacts, index: IndexFacts): string[] {
  const mark = markOf(facts, index);
  const [before, inside, behind] = firstParentheses(index.body);
  const others = splitTopLevel(inside, ',').filter((_, at) => index.keys[at]?.column !== mark);
  if (others.length === 0) return dropIndex(facts, index);
  const conditions = index.conditions.filter(({ form }) => form === 'other').map(({ text }) => text);
  const where = [...conditions, isLive(mark)].map((each) => `(${each})`).join(' AND ');
  return replaceIndex(facts, index, {
    isUnique: true,
    body: `${before}(${others.join(', ')})${behind}`,
    where,
  });
}
