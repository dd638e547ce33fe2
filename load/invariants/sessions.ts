import { APPLICATION } from '../worker-process.ts';
import type { Evidence } from '../evidence.ts';
import { type Invariant, numbersOf } from './invariant.ts';

const OPEN = `select count(*) as sessions, count(*) filter (where xact_start is not null) as transactions,
    (select count(*) from pg_prepared_xacts where database = current_database()) as prepared
  from pg_stat_activity where application_name = '${APPLICATION}' and datname = current_database()`;

/** What the callers have open on the server. */
export interface OpenSessions {
  readonly sessions: number;
  readonly transactions: number;
  readonly prepared: number;
}

export async function openSessions(evidence: Evidence): Promise<OpenSessions> {
  return numbersOf<keyof OpenSessions>(evidence, OPEN);
}

/**
 * Looks twice: when all calls have ended, at the pools that are still open, and now, when the pools are closed.
 *
 * @param idle what was open at the first look.
 * @param connections of all pools together.
 */
export function sessionsInvariant(idle: OpenSessions, connections: number): Invariant {
  return {
    name: 'sessions',
    claim:
      'Calls that have ended leave no transaction open, pools hold no more than they may, and closed ones nothing.',
    check: async (evidence) => {
      const left = await openSessions(evidence);
      const numbers = {
        connectionsAllowed: connections,
        sessionsOfIdlePools: idle.sessions,
        transactionsOfIdlePools: idle.transactions + idle.prepared,
        sessionsLeft: left.sessions,
        transactionsLeft: left.transactions + left.prepared,
      };
      const isRight = numbers.transactionsOfIdlePools + numbers.sessionsLeft + numbers.transactionsLeft === 0;
      return { holds: isRight && idle.sessions > 0 && idle.sessions <= connections, numbers };
    },
  };
}
