import { RuleError } from '../kit/errors/index.ts';
import { gatewayRules } from './rules.ts';

/** As many rows as a list without pages gives. */
export const LARGEST_LIST = 10_000;

/** The limit with which a list without pages asks for its rows: one more than it may give, so that it sees that there are more. */
export const ASKED_ROWS = LARGEST_LIST + 1;

/**
 * The rows, when they are all there are. A list that silently ends early would be taken for the whole.
 *
 * @throws RuleError LIST_TOO_LONG.
 */
export function wholeList<T>(rows: readonly T[]): readonly T[] {
  if (rows.length > LARGEST_LIST) throw new RuleError(gatewayRules.LIST_TOO_LONG);
  return rows;
}
