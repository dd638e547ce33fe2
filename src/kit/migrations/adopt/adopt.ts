import { Access } from '../access.ts';
import { MigrationError } from '../errors.ts';
import type { MigrationEvent } from '../events.ts';
import { underLock } from '../lock.ts';
import type { MigratorOptions } from '../options.ts';
import type { Connection } from '../rebuild/connection.ts';
import type { Session } from '../session.ts';
import type { AdoptionEvent } from './adoption-event.ts';
import { AdoptionRun } from './adoption-run.ts';
import type { HeldLock } from './align/align-step.ts';
import { type AdoptionPlan, describePlan } from './describe-plan.ts';
import { adoptionsOf, inspect, type Inspection } from './inspect.ts';
import { proveEnd } from './prove-end.ts';
import { readTimeline, type Timeline } from './timeline.ts';

/** What to take over, and how far. */
export interface AdoptOptions extends Omit<MigratorOptions, 'onProgress'> {
  /** An empty database, for a role that may not create one; it is emptied again. */
  readonly scratch?: Connection | undefined;
  /** Carry the plan out; without it everything is only read. */
  readonly apply?: boolean;
  /** Run contract steps too, which take away what the original program needs. */
  readonly contract?: boolean;
  /** Go on although the ledger lists files of the original that nobody here knows. */
  readonly acceptNewer?: boolean;
  /** The table of another tool that tells the history, `schema.table`, where there are several. */
  readonly ledger?: string | undefined;
  /** Whose numbers that table holds, where there are several modules. */
  readonly module?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  onProgress?(event: AdoptProgress): void;
}

/** A plan, and what became of it. */
export interface Adopted {
  readonly plan: AdoptionPlan;
  /** Undefined when it was only planned. */
  readonly done?: {
    readonly steps: number;
    readonly ms: number;
    /** The longest lock of each mode on each table. */
    readonly locks: readonly HeldLock[];
  };
}

/** What a program is told while a database is taken over. */
export type AdoptProgress = AdoptionEvent | MigrationEvent;

/**
 * Inspects a database that another program has made, and takes it over when told to.
 *
 * @throws MigrationError `MIGRATION.ADOPTION` when something stands against it; nothing was changed then.
 */
export async function adoptDatabase(options: AdoptOptions): Promise<Adopted> {
  const access = new Access(options);
  return access.reading(async (session, files) => {
    refusePooler(session);
    const timeline = await readTimeline(files, options);
    if (!options.apply) return { plan: describePlan(await look(session, timeline, options)) };
    return underLock(session, access.lock, () => carryOut(access, session, timeline, options));
  });
}

const look = (session: Session, timeline: Timeline, options: AdoptOptions): Promise<Inspection> =>
  inspect({
    session,
    timeline,
    modules: options.modules,
    contract: options.contract === true,
    acceptNewer: options.acceptNewer === true,
    ledger: options.ledger,
    module: options.module,
  });

/** Planned again under the lock: another one may have been faster. */
async function carryOut(
  access: Access,
  session: Session,
  timeline: Timeline,
  options: AdoptOptions,
): Promise<Adopted> {
  const start = performance.now();
  const found = await look(session, timeline, options);
  const plan = describePlan(found);
  refuse(plan);
  if (found.state === 'ours') return { plan, done: { steps: 0, ms: performance.now() - start, locks: [] } };
  const run = await AdoptionRun.begin(access, session, found.state, (event) => options.onProgress?.(event));
  await run.execute(found.steps);
  if (found.isWhole) await proveEnd(session, timeline, found, adoptionsOf(options.modules));
  await run.end();
  return { plan, done: { steps: found.steps.length, ms: performance.now() - start, locks: run.locks } };
}

/** Steps, lock and records belong to one session, and some of them to no transaction. */
function refusePooler(session: Session): void {
  if (!session.isPooled) return;
  throw new MigrationError(
    'MIGRATION.POOLED',
    'An adoption needs one server session from its beginning to its end, and a pooler gives it another with each transaction. Connect to the server itself.',
  );
}

/** @throws MigrationError `MIGRATION.ADOPTION` */
function refuse({ state, blockers }: AdoptionPlan): void {
  if (blockers.length === 0) return;
  throw new MigrationError(
    'MIGRATION.ADOPTION',
    `The database cannot be taken over as it is, and nothing was changed.\n${blockers.map(({ text }) => text).join('\n')}`,
    undefined,
    { state, blockers },
  );
}
