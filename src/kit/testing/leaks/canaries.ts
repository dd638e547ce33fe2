import {
  type Dictionary,
  type EntityMetadata,
  type EntityProperty,
  QueryHelper,
  ReferenceKind,
} from '@mikro-orm/core';
import type { SqlEntityManager } from '@mikro-orm/postgresql';
import { DELETED_AT } from '../../soft-delete/index.ts';
import { needsValue, valueFor } from './row-values.ts';

/** Values of columns by property name that an entity needs beyond what its metadata tells, for example for a CHECK. */
export type CanaryValues = Readonly<
  Record<string, (dead: boolean) => Readonly<Record<string, string | null>>>
>;

/** By the name of a view's entity, the entity whose rows it shows under the same key. */
export type ViewedEntities = Readonly<Record<string, string>>;

/** A planted row: its columns as the database has stored them. */
export interface Canary {
  readonly meta: EntityMetadata;
  readonly row: Readonly<Dictionary<unknown>>;
}

interface Plant {
  readonly dead?: boolean;
  /** Rows that owning relations point at, by property name. */
  readonly references?: Readonly<Record<string, Canary>>;
  /** Columns that are known already, by their names in the database. */
  readonly columns?: ReadonlyMap<string, unknown>;
}

/** Plants rows by plain SQL, so that neither the guard nor a hook has a say in what is there. */
export class Canaries {
  readonly #em: SqlEntityManager;
  readonly #values: CanaryValues;
  readonly #views: ViewedEntities;

  constructor(em: SqlEntityManager, values: CanaryValues, views: ViewedEntities) {
    this.#em = em;
    this.#values = values;
    this.#views = views;
  }

  /** Inserts a row, and live rows for what its required relations need. For a view it does so in the table behind. */
  async plant(meta: EntityMetadata, plant: Plant = {}): Promise<Canary> {
    if (meta.view) return this.#plantBehind(meta, plant);
    const { dead = false, references = {}, columns: known = new Map() } = plant;
    const columns = new Map(known);
    for (const prop of meta.props.filter((each) => hasColumn(each))) {
      if (prop.fieldNames.every((column) => known.has(column))) continue;
      await this.#fill(columns, prop, references[prop.name]);
    }
    for (const [name, value] of Object.entries(this.#values[meta.className]?.(dead) ?? {})) {
      columns.set(columnOf(meta, name), value);
    }
    if (dead) columns.set(columnOf(meta, DELETED_AT), '2001-02-03T04:05:06Z');
    if (meta.root.discriminatorColumn && meta.discriminatorValue !== undefined) {
      columns.set(columnOf(meta.root, meta.root.discriminatorColumn), meta.discriminatorValue);
    }
    return { meta, row: await this.#insert(meta, columns) };
  }

  /** Links two rows through the table of a many-to-many relation; `prop` is the relation of `owner`, of whichever side. */
  async link(prop: EntityProperty, owner: Canary, item: Canary): Promise<Canary> {
    const pivot = this.#em.getMetadata().get(prop.pivotEntity as never);
    const columns = new Map([...keysOf(prop.joinColumns, owner), ...keysOf(prop.inverseJoinColumns, item)]);
    if (prop.polymorphic) {
      // A table that owners of several classes share tells them apart by a column; so does one with several targets.
      const value = prop.discriminatorValue ?? discriminatorOf(prop, item);
      columns.set(prop.discriminatorColumn ?? '', value);
    }
    return this.plant(pivot, { columns });
  }

  async #plantBehind(view: EntityMetadata, plant: Plant): Promise<Canary> {
    const metadata = [...(this.#em.getMetadata() as unknown as Iterable<EntityMetadata>)];
    const source = metadata.find((meta) => meta.className === this.#views[view.className]);
    if (!source)
      throw new TypeError(`Say which entity's rows ${view.className} shows, in the option \`views\`.`);
    const { row } = await this.plant(source, plant);
    const quote = (name: string): string => this.#em.getPlatform().quoteIdentifier(name);
    if (view.materialized) await this.#em.execute(`refresh materialized view ${tableOf(view, quote)}`);
    return { meta: view, row };
  }

  async #fill(columns: Map<string, unknown>, prop: EntityProperty, target?: Canary): Promise<void> {
    const isRelation = prop.kind === ReferenceKind.MANY_TO_ONE || prop.kind === ReferenceKind.ONE_TO_ONE;
    if (!isRelation) {
      if (needsValue(prop)) prop.fieldNames.forEach((column) => columns.set(column, valueFor(prop)));
      return;
    }
    const needsTarget = prop.primary || !prop.nullable;
    const referenced = target ?? (needsTarget ? await this.plant(prop.targetMeta as never) : undefined);
    if (!referenced) return;
    if (prop.polymorphic) {
      columns.set(prop.discriminatorColumn ?? '', discriminatorOf(prop, referenced));
      for (const [column, value] of keysOf(prop.joinColumns, referenced)) columns.set(column, value);
      return;
    }
    prop.joinColumns.forEach((column, index) => {
      columns.set(column, referenced.row[prop.referencedColumnNames[index] ?? '']);
    });
  }

  async #insert(meta: EntityMetadata, columns: ReadonlyMap<string, unknown>): Promise<Dictionary> {
    const platform = this.#em.getPlatform();
    const quote = (name: string): string => platform.quoteIdentifier(name);
    const names = [...columns.keys()].map(quote).join(', ');
    const marks = [...columns.keys()].map(() => '?').join(', ');
    const values = columns.size === 0 ? 'default values' : `(${names}) values (${marks})`;
    const sql = `insert into ${tableOf(meta, quote)} ${values} returning *`;
    const [row] = await this.#em.execute<Dictionary[]>(sql, [...columns.values()]);
    return row ?? {};
  }
}

/** The row as it is now; undefined when it is physically gone. */
export async function stateOf(em: SqlEntityManager, { meta, row }: Canary): Promise<string | undefined> {
  const quote = (name: string): string => em.getPlatform().quoteIdentifier(name);
  const keys = meta.getPrimaryProps().flatMap((prop) => prop.fieldNames);
  const where = keys.map((key) => `${quote(key)} = ?`).join(' and ');
  const waiver = '/* soft-delete: all rows, because the row is looked at itself, live or dead */';
  const sql = `select to_jsonb(t)::text as state from ${tableOf(meta, quote)} t where ${where} ${waiver}`;
  const [found] = await em.execute<{ state: string }[]>(
    sql,
    keys.map((key) => row[key]),
  );
  return found?.state;
}

/** How many rows the table holds, live and dead. */
export async function countOf(em: SqlEntityManager, meta: EntityMetadata): Promise<number> {
  const quote = (name: string): string => em.getPlatform().quoteIdentifier(name);
  const waiver = '/* soft-delete: all rows, because a copy of a dead row counts too */';
  const [row] = await em.execute<{ n: string }[]>(
    `select count(*) as n from ${tableOf(meta, quote)} ${waiver}`,
  );
  return Number(row?.n);
}

/** The primary key of a planted row, in the form in which the ORM takes it. */
export function keyOf({ meta, row }: Canary): unknown {
  const values = meta.getPrimaryProps().flatMap((prop) => prop.fieldNames.map((column) => row[column]));
  return values.length === 1 ? values[0] : values;
}

/** Columns that refer to a row by its primary key, in the order of the key. */
function keysOf(columns: readonly string[], { meta, row }: Canary): [string, unknown][] {
  const keys = meta.getPrimaryProps().flatMap((prop) => prop.fieldNames);
  return columns.map((column, index) => [column, row[keys[index] ?? '']]);
}

/** What the discriminator column holds where a polymorphic relation points at the row. */
function discriminatorOf(prop: EntityProperty, { meta }: Canary): string | undefined {
  return QueryHelper.findDiscriminatorValue(prop.discriminatorMap ?? {}, meta.class as never);
}

function hasColumn(prop: EntityProperty): boolean {
  const isScalar = prop.kind === ReferenceKind.SCALAR;
  const isOwner =
    prop.kind === ReferenceKind.MANY_TO_ONE || (prop.kind === ReferenceKind.ONE_TO_ONE && prop.owner);
  return (isScalar || isOwner) && prop.persist !== false && !prop.formula && prop.fieldNames?.length > 0;
}

/** The first column of a property, or the name itself where the entity has no such property. */
export function columnOf(meta: EntityMetadata, property: string): string {
  const prop = meta.properties[property as never] as EntityProperty | undefined;
  return prop?.fieldNames[0] ?? property;
}

function tableOf(meta: EntityMetadata, quote: (name: string) => string): string {
  const schema = meta.schema && meta.schema !== '*' ? `${quote(meta.schema)}.` : '';
  return schema + quote(meta.tableName);
}
