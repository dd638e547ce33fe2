import type { Evidence } from '../evidence.ts';
import { aggregates } from './aggregates.ts';
import { balances } from './balances.ts';
import { deadRows, liveKeys } from './dead-rows.ts';
import { liveCounts } from './live-counts.ts';
import type { Finding, Invariant } from './invariant.ts';
import { ledger } from './ledger.ts';
import { outbox } from './outbox.ts';
import { answers, requests } from './requests.ts';
import { type OpenSessions, sessionsInvariant } from './sessions.ts';
import { subscriptionCounters } from './subscription-counters.ts';
import { subscriptionWindows } from './subscription-windows.ts';

export type { Finding, Numbers } from './invariant.ts';

/** An invariant with what was found of it. */
export interface Checked extends Finding {
  readonly name: string;
  readonly claim: string;
}

/** All that must be true after a run. */
export function invariantsOf(idle: OpenSessions, connections: number): readonly Invariant[] {
  return [
    balances,
    subscriptionCounters,
    subscriptionWindows,
    requests,
    answers,
    ledger,
    outbox,
    deadRows,
    liveKeys,
    liveCounts,
    aggregates,
    sessionsInvariant(idle, connections),
  ];
}

/** Checks one after the other; a check that holds has also seen something that it could have failed of. */
export async function checkAll(invariants: readonly Invariant[], evidence: Evidence): Promise<Checked[]> {
  const checked: Checked[] = [];
  for (const { name, claim, check } of invariants) checked.push({ name, claim, ...(await check(evidence)) });
  return checked;
}
