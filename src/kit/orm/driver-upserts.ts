import {
  type Dictionary,
  type EntityMetadata,
  type EntityName,
  type QueryResult,
  type Transaction,
  Utils,
} from '@mikro-orm/core';
import { currentScope, hidingRelations, upsertPolicyOf } from '../soft-delete/index.ts';
import type { DataDriver } from './data-driver.ts';
import { refuseHiddenConflicts } from './hidden-conflicts.ts';
import { upsertByPolicy } from './upsert-by-policy.ts';
import { conflictFields } from './upsert-request.ts';

type Name = EntityName<object>;
type Options = Dictionary & { readonly ctx?: Transaction };
type Result = QueryResult<object>;
type WriteMany = (name: Name, where: unknown[], rows: Dictionary[], options: Options) => Promise<Result>;

/** Steps of the core that it marks as protected. */
interface LinkSteps {
  extractManyToMany(meta: EntityMetadata, data: Dictionary): Dictionary;
  processManyToMany(
    meta: EntityMetadata,
    key: unknown[],
    collections: Dictionary,
    clear: boolean,
    options: Options,
  ): Promise<void>;
}

/** The upserts of the driver that the layer has a word in: of rows that a dead one may stand beside, or that a dead target hides. */
export class DriverUpserts {
  readonly #driver: DataDriver;
  readonly #core: WriteMany;

  constructor(driver: DataDriver, core: WriteMany) {
    this.#driver = driver;
    this.#core = core;
  }

  async one(name: Name, where: unknown, data: Dictionary, options: Options): Promise<Result> {
    const meta = this.#metaOf(name);
    const steps = this.#driver as unknown as LinkSteps;
    const collections = steps.extractManyToMany(meta, data);
    const result = await this.many(name, [where], [data], options);
    if (!Utils.hasObjectKeys(collections)) return result;
    const row: object | null = result.row ? this.#driver.mapResult<object>(result.row, meta) : null;
    const key = Utils.getOrderedPrimaryKeys<object>({ ...data, ...row }, meta);
    await steps.processManyToMany(meta, key, collections, true, options);
    return result;
  }

  /** Without a policy it is the core's own: em.upsert has asked for one, and the links of a collection need none. */
  async many(name: Name, where: unknown[], rows: Dictionary[], options: Options): Promise<Result> {
    const meta = this.#metaOf(name);
    const policy = upsertPolicyOf(meta);
    if (!policy) return this.#hiding(name, where, rows, options);
    const fields = conflictFields(meta, where[0], options);
    const asked = { driver: this.#driver, meta, policy, rows, fields, where, options };
    return upsertByPolicy(asked as never);
  }

  /** In a transaction of its own where there is none: no row may be written when another one is hidden. */
  async #hiding(name: Name, where: unknown[], rows: Dictionary[], options: Options): Promise<Result> {
    const meta = this.#metaOf(name);
    const isHiding = currentScope() === undefined && hidingRelations(meta).length > 0;
    if (!isHiding) return this.#core(name, where, rows, options);
    if (!options.ctx) {
      const connection = this.#driver.getConnection('write');
      return connection.transactional((ctx) => this.#hiding(name, where, rows, { ...options, ctx }));
    }
    const result = await this.#core(name, where, rows, options);
    if (result.affectedRows < rows.length) await refuseHiddenConflicts(this.#driver, meta, where, options);
    return result;
  }

  #metaOf(name: Name): EntityMetadata {
    return this.#driver.getMetadata().get(name);
  }
}
