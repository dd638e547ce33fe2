import {
  type Dictionary,
  type EntityMetadata,
  EntityManager as CoreEntityManager,
  type PopulateOptions,
  Utils,
} from '@mikro-orm/core';
import type { DataEntityManager } from './data-entity-manager.ts';
import { type KnownCall, KnownCalls, type Verb } from './known-calls.ts';
import type { PlannedReads, ReadOptions } from './planned-reads.ts';
import {
  copyHints,
  settledLevels,
  joinedPopulate,
  type JoinedPopulate,
  tellPopulate,
} from './settled-populate.ts';

type Manager = DataEntityManager;
type Options = Dictionary;
type Hints = readonly PopulateOptions<object>[];

interface JoiningDriver {
  joinedProps(meta: EntityMetadata, populate: Hints): Hints;
}

interface Core {
  find(entityName: unknown, where: unknown, options: Options): Promise<object[]>;
  findOne(entityName: unknown, where: unknown, options: Options): Promise<object | null>;
  count(entityName: unknown, where: unknown, options: Options): Promise<number>;
}

const CORE = CoreEntityManager.prototype as unknown as Core;

/** Steps of the core that it marks as internal. */
interface Steps {
  tryFlush(entityName: unknown, options: Options): Promise<void>;
  processWhere(entityName: unknown, where: unknown, options: Options, type: 'read'): Promise<Dictionary>;
  createPopulateWhere(where: Dictionary, options: Options): Dictionary;
  getJoinedFilters(meta: EntityMetadata, options: Options): Promise<Dictionary | undefined>;
  getPopulateWhere(where: Dictionary, options: Options): Dictionary;
  prepareOptions(options: Options): Options;
}

const READ_OPTIONS = new Set(
  'populate orderBy populateOrderBy limit offset fields exclude strategy populateWhere having groupBy'.split(
    ' ',
  ),
);
const COUNT_OPTIONS = new Set([...READ_OPTIONS].filter((name) => name !== 'populateOrderBy'));

/** `find`, `findOne` and `count` of calls that are known: the statement, and what the core does around it. */
export class KnownReads {
  readonly #reads: PlannedReads;
  readonly #calls: KnownCalls;
  readonly #find: Verb;
  readonly #findOne: Verb;
  readonly #count: Verb = {
    name: 'count',
    options: COUNT_OPTIONS,
    core: (em, { class: name }, where, options) => CORE.count.call(em, name, where, options),
    accept: () => ({}),
  };

  constructor(reads: PlannedReads, driver: JoiningDriver) {
    this.#reads = reads;
    this.#calls = new KnownCalls(reads);
    const verb = (name: 'find' | 'findOne'): Verb => ({
      name,
      options: READ_OPTIONS,
      core: (em, meta, where, options) => CORE[name].call(em, meta.class, where, options),
      accept: (meta, { captured }, options) =>
        captured.populate &&
        joinedPopulate(meta, captured.populate, options as never, (own, hints) =>
          driver.joinedProps(own, hints),
        ),
    });
    this.#find = verb('find');
    this.#findOne = verb('findOne');
  }

  find(em: Manager, entityName: unknown, where: unknown, options: Options): Promise<object[]> {
    return this.#either(
      this.#calls.known<JoinedPopulate>(this.#find, em, entityName, where, options),
      (call) => this.#entities(call, where, options),
      () => CORE.find.call(em, entityName, where, options),
    );
  }

  findOne(em: Manager, entityName: unknown, where: unknown, options: Options): Promise<object | null> {
    return this.#either(
      this.#calls.known<JoinedPopulate>(this.#findOne, em, entityName, where, options),
      (call) => {
        // What is in the identity map may be the answer, or has to be looked at by the core.
        if (call.em.getUnitOfWork(false).tryGetById(entityName as never, where as never))
          return CORE.findOne.call(em, entityName, where, options);
        return this.#entities(call, where, options, 1).then(([entity]) => entity ?? null);
      },
      () => CORE.findOne.call(em, entityName, where, options),
    );
  }

  count(em: Manager, entityName: unknown, where: unknown, options: Options): Promise<number> {
    return this.#either(
      this.#calls.known(this.#count, em, entityName, where, options),
      async (call) => {
        await (call.em as unknown as Steps).tryFlush(call.meta.class, options);
        return this.#reads.counted(contextOf(call.em), call);
      },
      () => CORE.count.call(em, entityName, where, options),
    );
  }

  #either<Extra, T>(
    call: KnownCall<Extra> | Promise<KnownCall<Extra> | undefined> | undefined,
    run: (call: KnownCall<Extra>) => Promise<T>,
    core: () => Promise<T>,
  ): Promise<T> {
    if (!call) return core();
    return call instanceof Promise ? call.then((made) => (made ? run(made) : core())) : run(call);
  }

  async #entities(
    call: KnownCall<JoinedPopulate>,
    where: unknown,
    options: Options,
    most = Infinity,
  ): Promise<object[]> {
    const { em, meta, extra } = call;
    await (em as unknown as Steps).tryFlush(meta.class, options);
    const hints = copyHints(extra.hints);
    const asked = { ...contextOf(em), populate: hints, fields: options['fields'] as string[] };
    const rows = await this.#reads.found(meta, asked, call);
    if (rows.length === 0) return [];
    const factory = em.getEntityFactory();
    const made = new Set<object>();
    for (const row of rows) {
      if (made.size === most) break;
      made.add(factory.create(meta.class, row as never, { merge: true, convertCustomTypes: true }));
    }
    const entities = [...made];
    const levels = settledLevels(entities, extra.relations);
    if (levels) tellPopulate(entities, hints, levels, options as never);
    else await populateByCore(em, meta, entities, { where, options, hints });
    await em.getUnitOfWork(false).dispatchOnLoadEvent();
    return entities;
  }
}

/** What the core hands to the driver with every call. */
function contextOf(em: Manager): ReadOptions {
  const ctx: object | undefined = em.getTransactionContext();
  return { ...(ctx && { ctx }), em, logging: { id: em.id } };
}

/** As `find` does it: for a stub, and for what the identity map holds as a reference. */
async function populateByCore(
  em: Manager,
  meta: EntityMetadata,
  entities: object[],
  { where, options, hints }: { where: unknown; options: Options; hints: Hints },
): Promise<void> {
  const steps = em as unknown as Steps;
  const own: Options = { ...steps.prepareOptions(options), populate: hints };
  const processed = await steps.processWhere(meta.class, Utils.copy(where), own, 'read');
  own['orderBy'] ??= {};
  own['_populateWhere'] = own['populateWhere'] ?? em.config.get('populateWhere');
  own['populateWhere'] = steps.createPopulateWhere({ ...processed }, own);
  own['populateFilter'] = await steps.getJoinedFilters(meta, own);
  await em.getEntityLoader().populate(meta.class as never, entities, hints as PopulateOptions<object>[], {
    ...own,
    ...steps.getPopulateWhere(processed, own),
    orderBy: own['populateOrderBy'] ?? own['orderBy'],
    ignoreLazyScalarProperties: true,
    lookup: false,
  });
}
