/** What PostgreSQL says of a prepared statement before it runs it, so that nothing was done by it. */
export type PlanRefusal = 'missing-name' | 'stale-plan' | 'taken-name';

/** By SQLSTATE and the place in the server's sources, because 0A000 also says other things and texts are translated. */
const REFUSALS: Readonly<Record<string, PlanRefusal>> = {
  '0A000 RevalidateCachedQuery': 'stale-plan',
  '26000 FetchPreparedStatement': 'missing-name',
  '42P05 StorePreparedStatement': 'taken-name',
};

/** Which such refusal an error of the driver is; `undefined` for all others. */
export function planRefusalOf(error: object): PlanRefusal | undefined {
  const { code, routine } = error as { code?: unknown; routine?: unknown };
  return REFUSALS[`${String(code)} ${String(routine)}`];
}
