import { type Invariant, numbersOf } from './invariant.ts';

// Whatever was pruned is gone, so it is counted: had an event been pruned that a reader has not seen, the reader would have seen
// fewer events than there were.
const HEARD = `with seen as (
    select consumer, place, txid, event_id, lag((txid, event_id)) over (partition by consumer order by place) as before
    from load.heard
  ), readers as (
    select consumer, count(*) as readings, count(distinct event_id) as events,
      count(*) filter (where before >= (txid, event_id)) as disorder
    from seen group by consumer
  ), present as (
    select count(*) as events, count(*) filter (where payload ? 'takenBack') as taken_back from scheduler_outbox
  ), pruned as (
    select sum(events) as events from load.pruned
  ), missed as (
    select count(*) as events from (select distinct consumer from load.heard) r cross join scheduler_outbox o
    where not exists (select from load.heard h where h.consumer = r.consumer and h.event_id = o.id and h.txid = o.txid)
  )
  select pr.events + p.events as events, p.events as "stillThere", p.taken_back as "takenBackButThere",
    (select count(*) from readers) as readers, (select coalesce(sum(readings), 0) from readers) as readings,
    (select coalesce(sum(readings - events), 0) from readers) as "seenTwice",
    (select coalesce(sum(disorder), 0) from readers) as "seenOutOfOrder", m.events as "notSeen",
    (select coalesce(sum(abs(pr.events + p.events - events)), 0) from readers) as "countsThatDiffer"
  from present p, pruned pr, missed m`;

type Name =
  | 'events'
  | 'readers'
  | 'takenBackButThere'
  | 'seenTwice'
  | 'seenOutOfOrder'
  | 'notSeen'
  | 'countsThatDiffer';

export const outbox: Invariant = {
  name: 'outbox',
  claim: 'Each reader has seen every event once, by writing transaction and id.',
  check: async (evidence) => {
    const numbers = await numbersOf<Name>(evidence, HEARD);
    const { takenBackButThere, seenTwice, seenOutOfOrder, notSeen, countsThatDiffer } = numbers;
    const wrong = takenBackButThere + seenTwice + seenOutOfOrder + notSeen + countsThatDiffer;
    return { holds: wrong === 0 && numbers.events > 0 && numbers.readers > 0, numbers };
  },
};
