import type { Evidence } from '../evidence.ts';
import type { Count, CountedKind } from '../sightings.ts';
import { deathsOf, nameOf } from './dead-rows.ts';
import type { Invariant } from './invariant.ts';

interface Row {
  readonly kind: CountedKind;
  readonly id: string;
  readonly owner: string | null;
  readonly kept: boolean;
}

// Whoever was made in the run may be missing in a count, so only what was there before it is kept.
const ROWS = `select 'apiKey' as kind, id::text, user_id::text as owner, deleted_at is null and id <= last_api_key_id as kept
    from api_keys, load.start
  union all select 'user', id::text, null, deleted_at is null and id <= last_user_id from users, load.start
  union all select 'account', id::text, null, deleted_at is null and id <= last_account_id from accounts, load.start
  /* soft-delete: all rows, because the dead ones are what a count may not hold */`;

/** Of the rows that one count is about. */
interface Counted {
  /** Every row that there ever was, those made after the count among them. */
  ever: number;
  /** Those that lived from before the run until after it. */
  kept: number;
  /** When each of the dead was told to be deleted. */
  readonly told: number[];
}

const scopeOf = (kind: CountedKind, of: string | null): string => `${kind} of ${of ?? 'all'}`;

async function countedOf(evidence: Evidence): Promise<Map<string, Counted>> {
  const { deaths } = await deathsOf(evidence);
  const scopes = new Map<string, Counted>();
  for (const { kind, id, owner, kept } of await evidence.rows<Row>(ROWS)) {
    const told = deaths.get(nameOf(kind, id))?.told;
    for (const scope of new Set([scopeOf(kind, owner), scopeOf(kind, null)])) {
      const counted = scopes.get(scope) ?? { ever: 0, kept: 0, told: [] };
      counted.ever += 1;
      if (kept) counted.kept += 1;
      if (told !== undefined) counted.told.push(told);
      scopes.set(scope, counted);
    }
  }
  return scopes;
}

/** A count knows no names, so it is held between what it must have and what it can have. */
export const liveCounts: Invariant = {
  name: 'live counts',
  claim:
    'No count of live rows was higher than what was left after the deletions that were told before it, nor lower than what stayed.',
  check: async (evidence) => {
    const scopes = await countedOf(evidence);
    const counts = evidence.seen.flatMap((seen) => seen.counts);
    let [tooHigh, tooLow, withDead] = [0, 0, 0];
    for (const { kind, of, count, begun } of counts as readonly Count[]) {
      const { ever, kept, told } = scopes.get(scopeOf(kind, of)) ?? { ever: 0, kept: 0, told: [] };
      const dead = told.filter((instant) => instant < begun).length;
      if (dead > 0) withDead += 1;
      if (count > ever - dead) tooHigh += 1;
      if (count < kept) tooLow += 1;
    }
    const numbers = { counts: counts.length, withDead, tooHigh, tooLow };
    return { holds: tooHigh === 0 && tooLow === 0 && withDead > 0, numbers };
  },
};
