import { type Invariant, numbersOf } from './invariant.ts';

const DIFFERENCES = `with ledger as (
    select user_id, sum(delta_usd) as amount, count(*) as entries from billing_usage_entries, load.start
    where id > entry_id and billing_type = 0 and applied group by user_id
  ), added as (
    select user_id, sum(amount) as amount from load.top_ups group by user_id
  ), users_of as (
    select coalesce(b.balance, 0) + coalesce(a.amount, 0) - u.balance as charged, coalesce(l.amount, 0) as ledger, l.entries
    from users u left join load.balances b on b.id = u.id left join ledger l on l.user_id = u.id
      left join added a on a.user_id = u.id
    /* soft-delete: all rows, because a deleted user may not be charged either */
  )
  select count(*) filter (where charged <> ledger) as "usersThatDiffer", count(entries) as "usersCharged",
    coalesce(max(entries), 0) as "mostChargesOfOneUser", sum(charged)::numeric(30,10) as "sumOfCharges",
    sum(ledger)::numeric(30,10) as "sumOfLedger", sum(abs(charged - ledger))::numeric(30,10) as "sumOfDifferences"
  from users_of`;

/** New users begin with nothing, and what was added in the run is known. */
export const balances: Invariant = {
  name: 'balances',
  claim: 'What was taken from each balance is the sum of its lines in the ledger, to ten decimals.',
  check: async (evidence) => {
    const numbers = await numbersOf<'usersThatDiffer' | 'usersCharged'>(evidence, DIFFERENCES);
    return { holds: numbers.usersThatDiffer === 0 && numbers.usersCharged > 0, numbers };
  },
};
