import { type Invariant, numbersOf } from './invariant.ts';

const DIFFERENCES = `with ledger as (
    select subscription_id, sum(delta_usd) as amount, count(*) as entries from billing_usage_entries, load.start
    where id > entry_id and billing_type = 1 and applied group by subscription_id
  ), counted as (
    select s.weekly_usage_usd - coalesce(c.weekly, 0) as weekly, s.monthly_usage_usd - coalesce(c.monthly, 0) as monthly,
      coalesce(l.amount, 0) as ledger, l.entries
    from user_subscriptions s left join load.counters c on c.id = s.id left join ledger l on l.subscription_id = s.id
    /* soft-delete: all rows, because a deleted one may not be charged either */
  )
  select count(*) filter (where weekly <> ledger or monthly <> ledger) as "subscriptionsThatDiffer",
    count(entries) as "subscriptionsCharged", coalesce(max(entries), 0) as "mostChargesOfOne",
    sum(monthly)::numeric(30,10) as "sumOfMonthly", sum(weekly)::numeric(30,10) as "sumOfWeekly",
    sum(ledger)::numeric(30,10) as "sumOfLedger"
  from counted`;

/** Weeks and months do not begin anew in a run; days do, and have a check of their own. */
export const subscriptionCounters: Invariant = {
  name: 'subscription counters',
  claim: 'What each subscription counted of the week and of the month is the sum of its lines in the ledger.',
  check: async (evidence) => {
    const numbers = await numbersOf<'subscriptionsThatDiffer' | 'subscriptionsCharged'>(
      evidence,
      DIFFERENCES,
    );
    return { holds: numbers.subscriptionsThatDiffer === 0 && numbers.subscriptionsCharged > 0, numbers };
  },
};
