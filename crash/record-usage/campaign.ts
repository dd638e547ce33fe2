import { setTimeout as sleep } from 'node:timers/promises';
import type { Random } from '../random.ts';
import { END_SESSIONS, Victim } from '../victim.ts';
import type { Form, OpenGateway } from './gateway.ts';
import { REQUESTS, type Task, usagesOf } from './task.ts';

/** What the database holds after all trials, added up by itself. */
export interface Totals {
  /** Trials whose program was interrupted before its end. */
  readonly interrupted: number;
  readonly logs: number;
  /** What was taken from the balance. */
  readonly charges: string;
  readonly ledgerRows: number;
  /** The sum of the ledger. */
  readonly ledger: string;
  /** Charges less ledger. */
  readonly difference: string;
  /** What the requests cost, as the trials asked for it, less the charges. */
  readonly lost: string;
}

const BALANCE = '1000000000';
const LONGEST_DELAY_MS = 12;
const CHILD = new URL('child.ts', import.meta.url);

const PREPARE = `with u as (insert into users (email, password_hash, balance) values ('hot', 'h', ?) returning id),
  k as (insert into api_keys (user_id, key, name) select id, 'key', 'key' from u returning id),
  a as (insert into accounts (name, platform, type) values ('account', 'anthropic', 'oauth') returning id)
  select u.id as "userId", k.id as "apiKeyId", a.id as "accountId" from u, k, a`;

const TOTALS = `select (select count(*) from usage_logs)::int as logs, (?::numeric - balance)::text as charges,
    count(e.id)::int as "ledgerRows", coalesce(sum(e.delta_usd), 0)::text as ledger,
    (?::numeric - balance - coalesce(sum(e.delta_usd), 0))::text as difference,
    (?::numeric - (?::numeric - balance))::text as lost
  from users left join billing_usage_entries e on e.user_id = users.id and e.applied group by balance`;

/** Interrupts recording programs, repeats what they did, and lets the database add up what was charged. */
export async function runCampaign(
  gateway: OpenGateway,
  url: string,
  {
    form,
    trials,
    random,
    tick,
  }: { form: Form; trials: number; random: Random; tick: (done: number) => void },
): Promise<Totals> {
  const [who] = await gateway.rows<Omit<Task, 'trial'>>(PREPARE, [BALANCE]);
  let interrupted = 0;
  let next = new Victim(url, CHILD, [form]);
  for (let trial = 0; trial < trials; trial += 1) {
    const victim = next;
    if (trial + 1 < trials) next = new Victim(url, CHILD, [form]);
    const task = { ...(who as Omit<Task, 'trial'>), trial };
    if (await interrupt(gateway, victim, task, random)) interrupted += 1;
    await Promise.all(usagesOf(task).map((usage) => gateway.record(usage)));
    tick(trial + 1);
  }
  const [totals] = await gateway.rows<Omit<Totals, 'interrupted'>>(TOTALS, [
    BALANCE,
    BALANCE,
    costOf(trials),
    BALANCE,
  ]);
  return { ...(totals as Omit<Totals, 'interrupted'>), interrupted };
}

async function interrupt(gateway: OpenGateway, victim: Victim, task: Task, random: Random): Promise<boolean> {
  // The next victim connects meanwhile; its session may end, too, before it has begun: then it is a victim as well.
  await victim.work(task, random.below(REQUESTS / 2 + 1));
  await sleep(random.below(LONGEST_DELAY_MS));
  if (task.trial % 5 === 4) await gateway.rows(END_SESSIONS);
  else victim.kill();
  return victim.end();
}

/** In units of the tenth decimal, so that it is exact. */
function costOf(trials: number): string {
  let sum = 0n;
  for (let trial = 0; trial < trials; trial += 1) {
    const who = { trial, userId: '', apiKeyId: '', accountId: '' };
    for (const { actualCost = '' } of usagesOf(who)) sum += BigInt(actualCost.slice(2));
  }
  const text = sum.toString().padStart(11, '0');
  return `${text.slice(0, -10)}.${text.slice(-10)}`;
}
