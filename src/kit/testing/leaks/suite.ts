import type { EntityMetadata } from '@mikro-orm/core';
import type { SqlEntityManager } from '@mikro-orm/postgresql';
import { isDataError } from '../../errors/index.ts';
import { SoftDeleteError } from '../../orm/index.ts';
import { DELETED_AT, isSoftDeletable } from '../../soft-delete/index.ts';
import { absencesOf } from './absence.ts';
import { Canaries, type Canary, type CanaryValues, stateOf, type ViewedEntities } from './canaries.ts';
import { entityReads } from './entity-reads.ts';
import { entityWrites } from './entity-writes.ts';
import { pathReads } from './path-reads.ts';
import { classOf, type Probe } from './probe.ts';
import { relationReads } from './relation-reads.ts';
import type { LeakReport, ProbeResult } from './report.ts';
import { unknownVerbs } from './verbs.ts';

/** An initialised `MikroORM` on PostgreSQL, whatever its driver and entity manager are. */
export interface LeakSuiteOrm {
  readonly em: { fork(): object };
  getMetadata(): object;
}

export interface LeakSuiteOptions {
  /** Columns that the metadata cannot tell, such as those under a CHECK; by entity, then by property. */
  readonly values?: CanaryValues;
  /** By the name of a view's entity, the entity of the table whose rows it shows, under the same primary key. */
  readonly views?: ViewedEntities;
  /**
   * Probes that cannot run on this model, by name, each with its reason, such as a verb that the ORM itself fails to do
   * for an entity. They are listed in the report; a name that no probe has is an error. Also methods of your own entity
   * manager that no probe goes through, as `EntityManager.findMine`.
   */
  readonly except?: Readonly<Record<string, string>>;
  /**
   * Runs work with the guard off, for the negative control: every probe must meet its dead row there. Default:
   * `em.skipSoftDelete`.
   */
  readonly guardOff?: (em: SqlEntityManager, work: (em: SqlEntityManager) => Promise<void>) => Promise<void>;
}

/**
 * Derives from the metadata of an ORM every soft-deletable entity, every verb, every load strategy, every relation and every
 * path over two of them, plants a dead row for each, and looks whether a read shows it or a write touches it. Each probe first runs with the guard off,
 * where it must meet the row; one that does not proves nothing and is reported as vacuous.
 *
 * Everything happens in transactions that are rolled back. It needs no test framework: assert on the report.
 *
 * @example
 * ```ts
 * const report = await runLeakSuite(orm);
 * assert.deepEqual(report.leaks, []);
 * ```
 */
export async function runLeakSuite(orm: LeakSuiteOrm, options: LeakSuiteOptions = {}): Promise<LeakReport> {
  const results: ProbeResult[] = [];
  const probes = probesOf(orm);
  const strangers = strangersOf(orm);
  refuseUnknown([...probes.map(({ name }) => name), ...strangers], options.except ?? {});
  for (const probe of probes) {
    const reason = options.except?.[probe.name];
    const { name, entity, verb } = probe;
    results.push(
      reason ? { name, entity, verb, verdict: 'except', note: reason } : await runProbe(orm, probe, options),
    );
  }
  return {
    results,
    leaks: results.filter((result) => result.verdict === 'leak').map((result) => result.name),
    broken: results.filter((result) => result.verdict === 'broken').map((result) => result.name),
    vacuous: results.filter((result) => result.verdict === 'vacuous').map((result) => result.name),
    unknown: strangers.filter((method) => options.except?.[method] === undefined),
    entities: [...new Set(results.map((result) => result.entity))],
  };
}

function strangersOf(orm: LeakSuiteOrm): string[] {
  const some = [...(orm.getMetadata() as Iterable<EntityMetadata>)].find((meta) => isSoftDeletable(meta));
  return some ? unknownVerbs(orm.em.fork() as SqlEntityManager, classOf(some)) : [];
}

function refuseUnknown(names: readonly string[], except: Readonly<Record<string, string>>): void {
  const unknown = Object.keys(except).filter((name) => !names.includes(name));
  if (unknown.length > 0)
    throw new TypeError(`No probe is named ${unknown.join(', ')}. Correct the list of exceptions.`);
}

/** The probes that the metadata asks for, in a stable order. */
export function probesOf(orm: LeakSuiteOrm): Probe[] {
  const metadata = [...(orm.getMetadata() as Iterable<EntityMetadata>)];
  const mapped = metadata.filter(
    (meta) => !meta.abstract && !meta.embeddable && !meta.virtual && !meta.pivotTable,
  );
  const entities = mapped.toSorted((a, b) => a.className.localeCompare(b.className));
  return entities.flatMap((meta) => [
    ...absencesOf(meta).flatMap((absence) => [
      ...entityReads(meta, absence),
      // A view is for reading: the layer refuses every write to it.
      ...(meta.view ? [] : entityWrites(meta, absence)),
    ]),
    ...relationReads(meta),
    ...pathReads(meta),
  ]);
}

async function runProbe(orm: LeakSuiteOrm, probe: Probe, options: LeakSuiteOptions): Promise<ProbeResult> {
  const { guardOff = skipSoftDelete, values = {}, views = {} } = options;
  const { name, entity, verb } = probe;
  const attempt = async (run: typeof skipSoftDelete): Promise<Outcome> =>
    rolledBack(orm, async (em) => {
      const scene = await probe.plant(new Canaries(em, values, views));
      const outcome: Outcome = { met: false };
      await run(em, async (inner) => {
        Object.assign(outcome, await meet(probe, inner, scene));
      });
      return outcome;
    });
  const control = await attempt(guardOff);
  if (!control.met) return { name, entity, verb, verdict: 'vacuous', note: control.refusedBy };
  const { met, refusedBy, answered } = await attempt((em, work) => work(em));
  if (met) return { name, entity, verb, verdict: 'leak' };
  const verdict = refusedBy !== undefined && !answered ? 'broken' : 'tight';
  return { name, entity, verb, verdict, note: refusedBy };
}

type GuardOff = NonNullable<LeakSuiteOptions['guardOff']>;
type Skipping = SqlEntityManager & {
  skipSoftDelete: (work: (em: SqlEntityManager) => Promise<void>) => Promise<void>;
};

const skipSoftDelete: GuardOff = (em, work) => (em as Skipping).skipSoftDelete(work);

interface Outcome {
  readonly met: boolean;
  /** The class of the error that ended the probe; its message could hold a row's value. */
  readonly refusedBy?: string;
  /** Whether that error is the layer's own answer to a dead row, and not an accident. */
  readonly answered?: boolean;
}

/** Runs the probe; a read tells what it saw, after a write the row itself tells. */
async function meet(
  probe: Probe,
  em: SqlEntityManager,
  scene: Parameters<Probe['run']>[1],
): Promise<Outcome> {
  const before = await stateOf(em, scene.dead);
  try {
    const seen = await probe.run(em, scene);
    if (probe.kind === 'read') return { met: seen === true };
    const after = await stateOf(em, scene.dead);
    if (probe.kind === 'upsert') return afterUpsert(probe, scene, before, after);
    return { met: probe.kind === 'write' ? after !== before : after === undefined };
  } catch (error) {
    // What failed must not be flushed again when the scope ends.
    em.clear();
    return { met: false, refusedBy: (error as Error).name, answered: isRefusal(error, probe) };
  }
}

/** The row stays as it was, or, where the policy says so, becomes live; a write into a row that stays dead is lost. */
function afterUpsert(
  { policy }: Probe,
  { dead }: Parameters<Probe['run']>[1],
  before: string | undefined,
  after: string | undefined,
): Outcome {
  const isRevived = after !== undefined && isLive(dead, after);
  if (policy !== 'revive') return { met: after !== before };
  return isRevived ? { met: false } : { met: after !== before, refusedBy: 'not revived' };
}

function isLive({ meta }: Canary, state: string): boolean {
  const column = meta.properties[DELETED_AT as never]?.['fieldNames'];
  return (JSON.parse(state) as Record<string, unknown>)[column?.[0] ?? ''] === null;
}

function isRefusal(error: unknown, { policy }: Probe): boolean {
  // An entity that has a policy must not be told that it has none.
  if (error instanceof SoftDeleteError) return !(error.code === 'SOFT_DELETE.UPSERT' && policy);
  return isDataError(error) && (error.status === 404 || error.status === 409);
}

async function rolledBack<T>(orm: LeakSuiteOrm, work: (em: SqlEntityManager) => Promise<T>): Promise<T> {
  const em = orm.em.fork() as SqlEntityManager;
  await em.begin();
  try {
    return await work(em);
  } finally {
    await em.rollback().catch(() => undefined);
  }
}
