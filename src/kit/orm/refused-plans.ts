import { type PlanRefusal, planRefusalOf } from '../errors/index.ts';

/** The translated errors of such refusals: translation leaves out where the server was. */
const known = new WeakMap<object, PlanRefusal>();

/** Whether the error, translated or not, is a refusal of a prepared statement; `undefined` for all others. */
export function planRefusal(error: unknown): PlanRefusal | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  return known.get(error) ?? planRefusalOf(error);
}

/** Hands `translated` on, and keeps for {@link planRefusal} what the error of the driver was. */
export function keepingRefusal(error: unknown, translated: Error): Error {
  const refusal = planRefusal(error);
  if (refusal) known.set(translated, refusal);
  return translated;
}
