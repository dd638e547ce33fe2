import { BigIntType, type Dictionary, type EntityMetadata, QueryFlag, Type, Utils } from '@mikro-orm/core';
import { currentScope, type DeletedScope } from '../soft-delete/index.ts';
import type { DataEntityManager } from './data-entity-manager.ts';
import type { PlannedReads } from './planned-reads.ts';
import { planRead, type ReadPlan } from './read-plan.ts';
import { readShape, withLeaves } from './read-shape.ts';
import { isInUpsert } from './upsert-call.ts';

type Manager = DataEntityManager;
type Options = Readonly<Record<string, unknown>>;

/** One verb of the entity manager: the core's own, which is asked to make the statement, and whose way it then replaces. */
export interface Verb {
  readonly name: string;
  /** Options that may be given for the call to be known at all. */
  readonly options: ReadonlySet<string>;
  /** Whether it is one statement of the ORM for this entity, in this scope; it is, unless this says otherwise. */
  fits?(meta: EntityMetadata, scope: DeletedScope | undefined): boolean;
  core(em: Manager, meta: EntityMetadata, given: unknown, options: Options): Promise<unknown>;
  /** What else has to be true of the statement; the answer is kept with it. */
  accept(meta: EntityMetadata, plan: ReadPlan, options: Options): object | undefined;
}

/** A statement that is known, with the values of one call. */
export interface KnownCall<Extra> {
  readonly em: Manager;
  readonly meta: EntityMetadata;
  readonly plan: ReadPlan;
  readonly leaves: readonly unknown[];
  readonly extra: Extra;
}

interface Known {
  readonly plan: ReadPlan;
  readonly extra: object;
}

/** Options that the core looks at before and after the statement only, where it is looked at here, too. */
const BESIDE = new Set(['flushMode', 'failHandler', 'strict']);
const MAX_CALLS = 500;

/**
 * Calls of the entity manager that were made before, by their shape: with the same options and other values the core goes through
 * filters, populate hints and conditions again, only to make the same statement. What a call does beside its statement, to flush, to
 * merge entities and to tell of them, is done each time; and whatever is not known to be the same is left to the core.
 */
export class KnownCalls {
  readonly #reads: PlannedReads;
  readonly #calls = new Map<string, Known | 'seen' | 'unfit'>();

  constructor(reads: PlannedReads) {
    this.#reads = reads;
  }

  /** The call with its statement; undefined for one that the core has to make. A promise where the statement is made now. */
  known<Extra>(
    verb: Verb,
    manager: Manager,
    entityName: unknown,
    given: unknown,
    options: Options,
  ): KnownCall<Extra> | Promise<KnownCall<Extra> | undefined> | undefined {
    const em = plainContext(manager);
    const scope = currentScope();
    if (!em || scope?.closed || isInUpsert() || this.#reads.isFiltered()) return undefined;
    const meta = em.getMetadata().find(entityName as never);
    if (!meta || !this.#reads.fits(meta) || !hasOnly(options, verb.options)) return undefined;
    if (verb.fits?.(meta, scope) === false) return undefined;
    const shape = readShape(given, options);
    if (!shape) return undefined;
    const key = `${verb.name}${this.#reads.numberOf(meta)}${scope?.mode ?? ''}${shape.key}`;
    const before = this.#calls.get(key);
    if (before === 'unfit') return undefined;
    const { leaves } = shape;
    if (before === undefined) this.#keep(key, 'seen');
    else if (before !== 'seen') return { em, meta, plan: before.plan, leaves, extra: before.extra as Extra };
    if (before === undefined) return undefined;
    return this.#make(verb, em, meta, given, options).then((made) => {
      this.#keep(key, made ?? 'unfit');
      return made && { em, meta, plan: made.plan, leaves, extra: made.extra as Extra };
    });
  }

  /** By the core, with an entity manager that holds nothing, so that nothing is flushed and nothing is sent. */
  async #make(verb: Verb, em: Manager, meta: EntityMetadata, given: unknown, options: Options) {
    // The caller's objects may be changed meanwhile.
    const own = withLeaves(given, options, (leaf) => leaf);
    const shape = readShape(own.where, own.options);
    const fork = em.fork();
    const make = (where: unknown, rest: Options): Promise<unknown> => verb.core(fork, meta, where, rest);
    // What is wrong with a call is said by the core when it makes it.
    const plan = shape && (await planRead(make, own.where, own.options, shape).catch(() => undefined));
    if (!plan || !this.#reads.isSafe(plan) || changesValues(plan, own)) return undefined;
    const extra = verb.accept(meta, plan, own.options);
    return extra && { plan, extra };
  }

  #keep(key: string, known: Known | 'seen' | 'unfit'): void {
    this.#calls.delete(key);
    if (this.#calls.size >= MAX_CALLS) this.#calls.delete(this.#calls.keys().next().value as string);
    this.#calls.set(key, known);
  }
}

interface Context {
  readonly schema?: string;
  readonly loggerContext?: object;
  readonly signal?: unknown;
  readonly inflightQueryAbortStrategy?: unknown;
  getSessionContext(): unknown;
}

/** The entity manager that the call is for, unless something about it is part of every call. */
function plainContext(manager: Manager): Manager | undefined {
  let em: Manager;
  try {
    em = manager.getContext();
  } catch {
    // The core says so by a promise.
    return undefined;
  }
  const { schema, loggerContext, signal, inflightQueryAbortStrategy } = em as unknown as Context;
  if (schema !== undefined || signal != null || inflightQueryAbortStrategy != null) return undefined;
  if (loggerContext && Utils.hasObjectKeys(loggerContext)) return undefined;
  if ((em as unknown as Context).getSessionContext()) return undefined;
  const { config } = em;
  return config.get('disableIdentityMap') || config.get('resultCache').global ? undefined : em;
}

function hasOnly(options: Options, names: ReadonlySet<string>): boolean {
  for (const name in options) {
    if (options[name] !== undefined && !names.has(name) && !BESIDE.has(name)) return false;
  }
  return true;
}

/** Types whose values for the database are those of the program, but for being texts. */
const FAITHFUL = new Set<unknown>([
  Type.prototype.convertToDatabaseValue,
  BigIntType.prototype.convertToDatabaseValue,
]);

const isFaithful = (type: Type<unknown>): boolean =>
  FAITHFUL.has(type.convertToDatabaseValue) || 'keepsTexts' in type;

/**
 * Whether a type of the program's own may change a value on its way into the statement: that it has not changed two of them does not
 * say that it changes none. Names are enough: of any class in the statement, and at any place in the conditions.
 */
function changesValues(
  { builder, captured }: ReadPlan,
  { where, options }: { where: unknown; options: Options },
) {
  // A condition then adds to what is populated.
  if (captured.flags?.includes(QueryFlag.INFER_POPULATE)) return true;
  const names = new Set<string>();
  namesIn(where, names);
  for (const name of ['populateWhere', 'populateFilter', 'having', 'data']) namesIn(options[name], names);
  const { aliases } = (builder as { state: { aliases: Dictionary<{ meta?: EntityMetadata }> } }).state;
  return Object.values(aliases).some(({ meta }) =>
    (meta?.props ?? []).some(
      ({ name, primary, customType }) =>
        customType && (primary || names.has(name)) && !isFaithful(customType),
    ),
  );
}

function namesIn(value: unknown, names: Set<string>): void {
  if (typeof value !== 'object' || value === null) return;
  for (const [name, inner] of Object.entries(value)) {
    names.add(name);
    namesIn(inner, names);
  }
}
