import {
  type Dictionary,
  EntityManager as CoreEntityManager,
  type EntityMetadata,
  type EntityProperty,
  type QueryResult,
  ReferenceKind,
  Utils,
} from '@mikro-orm/core';
import { guardsWrites } from '../soft-delete/index.ts';
import type { DataEntityManager } from './data-entity-manager.ts';
import { type KnownCall, KnownCalls, type Verb } from './known-calls.ts';
import { ownDeletionOf } from './own-deletion.ts';
import type { PlannedReads } from './planned-reads.ts';

type Manager = DataEntityManager;
type Options = Dictionary;

interface Core {
  nativeUpdate(entityName: unknown, where: unknown, data: unknown, options: Options): Promise<number>;
  nativeDelete(entityName: unknown, where: unknown, options: Options): Promise<number>;
}

const CORE = CoreEntityManager.prototype as unknown as Core;

/** `data` is the layer's own word: what an update is given stands among the options, and its values are parameters. */
const UPDATE_OPTIONS = new Set(['data']);
const DELETE_OPTIONS = new Set<string>();

/** `nativeUpdate` and `nativeDelete` of calls that are known. */
export class KnownWrites {
  readonly #calls: KnownCalls;
  readonly #update: Verb = {
    name: 'nativeUpdate',
    options: UPDATE_OPTIONS,
    core: (em, { class: name }, where, { data, ...options }) =>
      CORE.nativeUpdate.call(em, name, where, data, options),
    accept: (meta, _, { data }) => (hasOnlyColumns(meta, data) ? {} : undefined),
  };
  readonly #delete: Verb = {
    name: 'nativeDelete',
    options: DELETE_OPTIONS,
    // Such a deletion is more than one statement, and one that is made to look at it would delete.
    fits: (meta, scope) => !guardsWrites(scope) || !ownDeletionOf(meta),
    core: (em, { class: name }, where, options) => CORE.nativeDelete.call(em, name, where, options),
    accept: () => ({}),
  };

  constructor(reads: PlannedReads) {
    this.#calls = new KnownCalls(reads);
  }

  nativeUpdate(
    em: Manager,
    entityName: unknown,
    where: unknown,
    data: unknown,
    options: Options,
  ): Promise<number> {
    const isPlain = Utils.isPlainObject(data) && !('data' in options);
    const call = isPlain
      ? this.#calls.known(this.#update, em, entityName, where, { ...options, data })
      : undefined;
    return sentOr(
      call,
      (known) => sent(known).then(({ affectedRows }) => affectedRows),
      () => CORE.nativeUpdate.call(em, entityName, where, data, options),
    );
  }

  nativeDelete(em: Manager, entityName: unknown, where: unknown, options: Options): Promise<number> {
    return sentOr(
      this.#calls.known(this.#delete, em, entityName, where, options),
      async (known) => {
        const result = await sent(known);
        known.em.getDriver().forgetDeletedRows(known.em, known.meta, result.rows ?? []);
        return result.affectedRows;
      },
      () => CORE.nativeDelete.call(em, entityName, where, options),
    );
  }
}

type MaybeKnown = KnownCall<unknown> | Promise<KnownCall<unknown> | undefined> | undefined;

function sentOr(
  call: MaybeKnown,
  run: (call: KnownCall<unknown>) => Promise<number>,
  core: () => Promise<number>,
): Promise<number> {
  if (!call) return core();
  return call instanceof Promise ? call.then((made) => (made ? run(made) : core())) : run(call);
}

function sent({ em, plan, leaves }: KnownCall<unknown>): Promise<QueryResult<Dictionary>> {
  const driver = em.getDriver();
  const ctx = em.getTransactionContext();
  const connection = driver.getConnection('write') as unknown as {
    execute(
      sql: string,
      params: unknown[],
      method: 'run',
      ctx: unknown,
      logging: object,
    ): Promise<QueryResult>;
  };
  const steps = driver as unknown as { rethrow<T>(promise: Promise<T>): Promise<T> };
  return steps.rethrow(connection.execute(plan.text(leaves), plan.values(leaves), 'run', ctx, { id: em.id }));
}

/** An array, and a collection, is written by statements of its own; a relation by its key. */
function hasOnlyColumns(meta: EntityMetadata, data: unknown): boolean {
  return Object.keys(data as object).every((name) => {
    const prop = meta.properties[name as never] as EntityProperty | undefined;
    const isToOne = prop?.kind === ReferenceKind.MANY_TO_ONE || prop?.kind === ReferenceKind.ONE_TO_ONE;
    return (
      prop !== undefined && (isToOne || prop.kind === ReferenceKind.SCALAR) && prop.fieldNames?.length === 1
    );
  });
}
