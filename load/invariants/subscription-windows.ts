import { unitsOf } from '../amount.ts';
import type { Evidence } from '../evidence.ts';
import type { Invariant } from './invariant.ts';

/** A subscription before and after the run, in units of the tenth decimal. */
interface Counters {
  readonly id: string;
  readonly daily: string;
  readonly monthly: string;
  readonly dailyNow: string;
}

interface Charged {
  readonly amount: bigint;
  readonly daily: bigint;
  readonly monthly: bigint;
}

const COUNTERS = `select s.id::text, coalesce(c.daily, 0)::text as daily, coalesce(c.monthly, 0)::text as monthly,
    s.daily_usage_usd::text as "dailyNow"
  from user_subscriptions s left join load.counters c on c.id = s.id
  /* soft-delete: all rows, because a deleted one may not be charged either */`;

function chargesOf({ told }: Evidence): Map<string, Charged[]> {
  const bySubscription = new Map<string, Charged[]>();
  for (const { subscription, amount } of told.flatMap(({ charges }) => charges)) {
    if (!subscription || amount === null) continue;
    const { dailyUsageUsd, monthlyUsageUsd } = subscription.usage;
    const charge = {
      amount: unitsOf(amount),
      daily: unitsOf(dailyUsageUsd),
      monthly: unitsOf(monthlyUsageUsd),
    };
    const known = bySubscription.get(subscription.id);
    if (known) known.push(charge);
    else bySubscription.set(subscription.id, [charge]);
  }
  return bySubscription;
}

function resetsOf({ told }: Evidence): Map<string, number> {
  const resets = new Map<string, number>();
  for (const [id, count] of told.flatMap((one) => [...one.resets]))
    resets.set(id, (resets.get(id) ?? 0) + count);
  return resets;
}

/**
 * The month only grows, so it puts the charges of a subscription in the order in which the database made them. In that order
 * the day is what it was plus the charge, or the charge alone where the window began anew in between.
 *
 * @returns how often it began anew; undefined where the counters follow from no order of charges and resets.
 */
function beginningsOf(before: Counters, charges: readonly Charged[], resets: number): number | undefined {
  let [daily, monthly, beginnings] = [unitsOf(before.daily), unitsOf(before.monthly), 0];
  for (const charge of charges.toSorted((a, b) => Number(a.monthly - b.monthly))) {
    if (charge.monthly !== monthly + charge.amount) return undefined;
    if (charge.daily !== daily + charge.amount) beginnings += 1;
    if (![daily + charge.amount, charge.amount].includes(charge.daily)) return undefined;
    [daily, monthly] = [charge.daily, charge.monthly];
  }
  if (unitsOf(before.dailyNow) !== daily) {
    if (unitsOf(before.dailyNow) !== 0n) return undefined;
    beginnings += 1;
  }
  return beginnings <= resets ? beginnings : undefined;
}

/** An account of the day, which begins anew while it is charged. */
export const subscriptionWindows: Invariant = {
  name: 'subscription windows',
  claim:
    'The day of each subscription follows from its charges and from the resets that callers were told of.',
  check: async (evidence) => {
    const [charges, resets] = [chargesOf(evidence), resetsOf(evidence)];
    const numbers = { charges: 0, resetsTold: 0, begunAnewBetweenCharges: 0, subscriptionsThatDiffer: 0 };
    for (const counters of await evidence.rows<Counters>(COUNTERS)) {
      const own = charges.get(counters.id) ?? [];
      const told = resets.get(counters.id) ?? 0;
      const beginnings = beginningsOf(counters, own, told);
      numbers.charges += own.length;
      numbers.resetsTold += told;
      numbers.begunAnewBetweenCharges += beginnings ?? 0;
      if (beginnings === undefined) numbers.subscriptionsThatDiffer += 1;
    }
    return { holds: numbers.subscriptionsThatDiffer === 0 && numbers.resetsTold > 0, numbers };
  },
};
