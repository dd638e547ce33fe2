import { type Invariant, numbersOf } from './invariant.ts';

const ONE_LOG = `with logs as (
    select request_id, api_key_id, count(*) as logs from usage_logs, load.start where id > log_id group by 1, 2
  ), told as (
    select request_id, api_key_id, count(*) filter (where inserted) as inserted, count(*) as answers,
      count(distinct log_id) as ids from load.charges group by 1, 2
  )
  select count(t.request_id) as requests, coalesce(sum(l.logs), 0) as logs, coalesce(sum(t.answers), 0) as answers,
    count(*) filter (where t.request_id is null) as "logsOfNoRequest", count(*) filter (where l.request_id is null) as "requestsWithoutLog",
    count(*) filter (where l.logs > 1) as "requestsWithTwoLogs", count(*) filter (where t.inserted > 1) as "toldTwiceToBeNew",
    count(*) filter (where t.inserted = 0) as "neverToldToBeNew", count(*) filter (where t.ids > 1) as "toldTwoIds"
  from logs l full join told t using (request_id, api_key_id)`;

const WRONG = [
  'logsOfNoRequest',
  'requestsWithoutLog',
  'requestsWithTwoLogs',
  'toldTwiceToBeNew',
  'neverToldToBeNew',
  'toldTwoIds',
] as const;

/** More answers than requests: those that were repeated, or recorded by several processes at once. */
export const requests: Invariant = {
  name: 'one log per request',
  claim: 'Each request has one log, however often it was recorded, and each log has a request.',
  check: async (evidence) => {
    const numbers = await numbersOf<(typeof WRONG)[number] | 'requests' | 'answers'>(evidence, ONE_LOG);
    const isRight = WRONG.every((name) => numbers[name] === 0);
    return { holds: isRight && numbers.requests > 0 && numbers.answers > numbers.requests, numbers };
  },
};

const BORNE_OUT = `select count(*) as answers, count(*) filter (where l.id is null) as "logsMissing",
    count(*) filter (where l.id is not null and (e.delta_usd is distinct from c.amount or coalesce(e.applied, false) <> c.applied))
      as "chargesThatDiffer",
    coalesce(sum(c.amount) filter (where c.inserted and c.applied), 0)::numeric(30,10) as "sumOfChargesTold"
  from load.charges c left join usage_logs l
    on l.id = c.log_id and l.request_id = c.request_id and l.api_key_id = c.api_key_id
  left join billing_usage_entries e on e.usage_log_id = l.id`;

export const answers: Invariant = {
  name: 'answers are borne out',
  claim: 'What a caller was told is recorded is there, with the charge that the caller was told.',
  check: async (evidence) => {
    const numbers = await numbersOf<'answers' | 'logsMissing' | 'chargesThatDiffer'>(evidence, BORNE_OUT);
    const isRight = numbers.logsMissing === 0 && numbers.chargesThatDiffer === 0;
    return { holds: isRight && numbers.answers > 0, numbers };
  },
};
