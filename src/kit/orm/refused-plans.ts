/** What PostgreSQL says of a prepared statement before it runs it, so that nothing was done. */
type Refusal = 'missing-name' | 'stale-plan' | 'taken-name';

/** By SQLSTATE and the place in the server's sources, because 0A000 also says other things and texts are translated. */
const REFUSALS: Readonly<Record<string, Refusal>> = {
  '0A000 RevalidateCachedQuery': 'stale-plan',
  '26000 FetchPreparedStatement': 'missing-name',
  '42P05 StorePreparedStatement': 'taken-name',
};

/** The translated errors of such refusals: translation leaves out where the server was. */
const known = new WeakMap<object, Refusal>();

/** Whether the error is such a refusal; `undefined` for all others. */
export function planRefusal(error: unknown): Refusal | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  const { code, routine } = error as { code?: unknown; routine?: unknown };
  return known.get(error) ?? REFUSALS[`${String(code)} ${String(routine)}`];
}

/** Hands `translated` on, and keeps for {@link planRefusal} what the error of the driver was. */
export function keepingRefusal(error: unknown, translated: Error): Error {
  const refusal = planRefusal(error);
  if (refusal) known.set(translated, refusal);
  return translated;
}
