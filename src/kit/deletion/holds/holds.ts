import { randomUUID } from 'node:crypto';
import type { EntityClass, EntityMetadata, Primary } from '@mikro-orm/core';
import type { DataEntityManager } from '../../orm/index.ts';
import { escapeIdentifier } from 'pg';
import { currentFacts } from '../context.ts';
import { keyInJournal } from '../forget-fallen.ts';
import { graphOf, runOf } from '../graph-of.ts';
import type { GraphTable } from '../graph.ts';
import { hasKey, keyText, partOf } from '../key-sql.ts';
import { HoldError } from './hold-error.ts';

/** An order to keep a row, or all rows of a table, whatever their age. */
export interface Hold {
  readonly id: string;
  /** With its schema, as the journal names tables. */
  readonly table: string;
  /** The primary key in the form of the journal; null holds the whole table. */
  readonly key: string | null;
  readonly reason: string;
  readonly actor: string | null;
  readonly placedAt: Date;
  readonly releasedAt: Date | null;
  readonly releasedBy: string | null;
  readonly releaseReason: string | null;
}

/** What is to be held, and why. Keep personal data out of the reason. */
export type HoldRequest<Entity> =
  | { readonly key: Primary<Entity>; readonly all?: never; readonly reason: string }
  | { readonly all: true; readonly key?: never; readonly reason: string };

/** Which holds: those of a row, of a whole table (`all`), or of both; the open ones only, unless `released`. */
export interface HoldQuery<Entity> {
  readonly key?: Primary<Entity>;
  readonly all?: true;
  readonly released?: boolean;
}

const COLUMNS = `h.id, h.table_name as table, h.key, h.reason, h.actor, h.placed_at as "placedAt",
  h.released_at as "releasedAt", h.released_by as "releasedBy", h.release_reason as "releaseReason"`;

/**
 * Keeps a row, dead or live, or all rows of a table from being removed for good, until each of its holds is released. What would fall
 * with a held row is kept with it. Deleting and restoring go on as before. From the answer on no purge removes a held row, also while
 * the caller's transaction is still open; it waits for purges that are in the middle of a batch. The actor is that of
 * `withDeletionContext`.
 *
 * @throws HoldError `HOLD.NO_ROW` when the row does not exist, or was removed before the hold came.
 */
export async function placeHold<Entity extends object>(
  em: DataEntityManager,
  entity: EntityClass<Entity>,
  { key, all, reason }: HoldRequest<NoInfer<Entity>>,
): Promise<Hold> {
  if (typeof reason !== 'string' || reason.trim() === '') throw HoldError.noReason();
  const { run, table, meta } = await heldTable(em, entity);
  const values = [randomUUID(), table.name];
  const facts = [reason, currentFacts().actor ?? null];
  const into = `insert into deletion_holds as h (id, table_name, key, reason, actor, placed_at)`;
  const [hold] =
    all === true
      ? await run<Hold>(`${into} values (?, ?, null, ?, ?, now()) returning ${COLUMNS}`, [
          ...values,
          ...facts,
        ])
      : await run<Hold>(
          `${into} select ?, ?, ${keyText(table, 't')}, ?, ?, now() from ${table.sql} t where ${isRow(table)}
           /* soft-delete: dead rows too, because they are what is held */ returning ${COLUMNS}`,
          [...values, ...facts, ...table.primaryKey.map(() => textOf(meta, key))],
        );
  if (!hold) throw HoldError.noRow(meta.className);
  return shown(hold);
}

/**
 * Ends a hold, and keeps that it was there. The actor is that of `withDeletionContext`, and so is the reason.
 *
 * @throws HoldError `HOLD.UNKNOWN`, or `HOLD.RELEASED` when it has ended before.
 */
export async function releaseHold(em: DataEntityManager, id: string): Promise<Hold> {
  const run = runOf(em.fork({ keepTransactionContext: true }));
  const { actor, reason } = currentFacts();
  const [hold] = await run<Hold>(
    `update deletion_holds h set released_at = now(), released_by = ?, release_reason = ?
     where h.id::text = ? and h.released_at is null returning ${COLUMNS}`,
    [actor ?? null, reason ?? null, id.toLowerCase()],
  );
  if (hold) return shown(hold);
  const known = await run('select from deletion_holds h where h.id::text = ?', [id.toLowerCase()]);
  throw known.length > 0 ? HoldError.released() : HoldError.unknown();
}

/** The holds of an entity, or of all, in the order in which they were placed. */
export async function holdsOf<Entity extends object>(
  em: DataEntityManager,
  entity?: EntityClass<Entity>,
  { key, all, released = false }: HoldQuery<NoInfer<Entity>> = {},
): Promise<Hold[]> {
  if (!entity && key !== undefined) throw HoldError.keyOfNothing();
  const held = entity && (await heldTable(em, entity));
  const run = held?.run ?? runOf(em.fork({ keepTransactionContext: true }));
  const conditions = [released ? 'true' : 'h.released_at is null'];
  if (held) conditions.push('h.table_name = ?');
  if (all) conditions.push('h.key is null');
  const params: unknown[] = held ? [held.table.name] : [];
  if (held && key !== undefined) {
    conditions.push(`h.key = ${sameKey(held.table)}`);
    params.push(...held.table.primaryKey.map(() => textOf(held.meta, key)));
  }
  const found = await run<Hold>(
    `select ${COLUMNS} from deletion_holds h where ${conditions.join(' and ')} order by h.placed_at, h.id`,
    params,
  );
  return found.map(shown);
}

async function heldTable(em: DataEntityManager, entity: EntityClass<object>) {
  const own = em.fork({ keepTransactionContext: true });
  const run = runOf(own);
  const meta = own.getMetadata().find(entity) as EntityMetadata | undefined;
  if (!meta) throw HoldError.unknownEntity(entity.name);
  const graph = await graphOf(own.getDriver(), run, own.schema);
  if (!graph.hasHolds) throw HoldError.noTable();
  const table = graph.tableOf(meta);
  if (!table || table.primaryKey.length === 0) throw HoldError.unknownEntity(meta.className);
  return { run, table, meta };
}

const textOf = (meta: EntityMetadata, key: unknown): string =>
  keyInJournal(meta, Array.isArray(key) ? key : [key]);

/** The key in the form of the journal as the database writes it: a program may write the same one otherwise. */
const sameKey = (table: GraphTable): string => {
  const parts = table.primaryKey.map(
    (column) => `${partOf(table, '?', column)} as ${escapeIdentifier(column.name)}`,
  );
  return `(select ${keyText(table, 'k')} from (select ${parts.join(', ')}) k)`.replaceAll('(?)', '(?::text)');
};

const isRow = (table: GraphTable): string => hasKey(table, 't', '?').replaceAll('(?)', '(?::text)');

/** The driver leaves instants as text where no entity says what they are. */
function shown(hold: Hold): Hold {
  const instant = (value: Date | string | null) => (value === null ? null : new Date(value));
  return { ...hold, placedAt: new Date(hold.placedAt), releasedAt: instant(hold.releasedAt) };
}
