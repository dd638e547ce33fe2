import { type Invariant, numbersOf } from './invariant.ts';

const LINES = `with logs as (
    select id, user_id, api_key_id, subscription_id, billing_type, case billing_type when 1 then total_cost else actual_cost end as amount
    from usage_logs, load.start where id > log_id
  ), entries as (
    select e.* from billing_usage_entries e, load.start where e.id > entry_id
  )
  select count(l.id) as logs, count(*) filter (where l.amount > 0) as "logsWithAmount", count(e.id) as lines,
    count(*) filter (where l.amount > 0 and e.id is null) as "logsWithoutLine",
    count(*) filter (where e.id is not null and (l.id is null or l.amount = 0)) as "linesOfNothing",
    count(*) filter (where l.amount > 0 and e.id is not null
      and (e.delta_usd, e.user_id, e.api_key_id, e.subscription_id, e.billing_type)
      is distinct from (l.amount, l.user_id, l.api_key_id, l.subscription_id, l.billing_type)) as "linesThatDiffer",
    coalesce(sum(l.amount), 0)::numeric(30,10) as "sumOfLogs", coalesce(sum(e.delta_usd), 0)::numeric(30,10) as "sumOfLines"
  from logs l full join entries e on e.usage_log_id = l.id`;

type Name = 'logsWithAmount' | 'lines' | 'logsWithoutLine' | 'linesOfNothing' | 'linesThatDiffer';

export const ledger: Invariant = {
  name: 'ledger and logs',
  claim: 'Each log with an amount has one line of the ledger with the same amount, and no other log has one.',
  check: async (evidence) => {
    const numbers = await numbersOf<Name>(evidence, LINES);
    const isRight =
      numbers.logsWithoutLine + numbers.linesOfNothing + numbers.linesThatDiffer === 0 &&
      numbers.lines === numbers.logsWithAmount;
    return { holds: isRight && numbers.lines > 0, numbers };
  },
};
