import { type DoctorFacts, type IndexFacts, type KeyFacts, quoted, tableOf } from './facts.ts';
import { liveWhere, replaceIndex } from './mend-index.ts';
import { firstParentheses } from './top-level.ts';

/** The keys of an index, or those that shall be left of them. */
export interface LeftKeys {
  readonly keys: readonly KeyFacts[];
  /** As the server prints them, with collation and order. */
  readonly texts: readonly string[];
}

/**
 * Makes an index, whatever constraint it belongs to, one of live rows. A partial index can be neither deferred nor temporal; an
 * exclusion constraint can, so that it takes the place of such a constraint.
 */
export function madeLive(facts: DoctorFacts, index: IndexFacts, left?: LeftKeys): string[] {
  const { constraint, isUnique, isNullsNotDistinct, body } = index;
  const where = liveWhere(facts, index);
  if (constraint?.type === 'x') return [exchange(facts, index, withPredicate(index, where))];
  if (constraint?.isTemporal || (constraint?.isDeferrable && !isNullsNotDistinct))
    return [exchange(facts, index, asExclusion(index, left?.keys ?? index.keys, where))];
  return replaceIndex(facts, index, { isUnique, body: left ? withKeys(body, left.texts) : body, where });
}

function withKeys(body: string, texts: readonly string[]): string {
  const [before, , behind] = firstParentheses(body);
  return `${before}(${texts.join(', ')})${behind}`;
}

function asExclusion({ constraint }: IndexFacts, keys: readonly KeyFacts[], where: string): string {
  const columns = keys.map(({ text }, at) => {
    const isPeriod = constraint?.isTemporal && at === keys.length - 1;
    return `${text} WITH ${isPeriod ? '&&' : '='}`;
  });
  const method = constraint?.isTemporal ? 'gist' : 'btree';
  return `EXCLUDE USING ${method} (${columns.join(', ')}) WHERE (${where})${timing(constraint)}`;
}

function withPredicate({ constraint, predicate }: IndexFacts, where: string): string {
  const when = timing(constraint);
  const ending = `${predicate === null ? '' : ` WHERE (${predicate})`}${when}`;
  const head = constraint?.definition.slice(0, constraint.definition.length - ending.length) ?? '';
  return `${head} WHERE (${where})${when}`;
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
