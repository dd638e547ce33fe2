import { and, eq, inArray, isNull, notExists, sql } from 'drizzle-orm';
import type { NodePgDatabase } from 'drizzle-orm/node-postgres';
import type { Library } from '../../comparison/library.ts';
import { deletionWays, type Fallen, inBatches, type Purge } from '../../comparison/trees/deletions.ts';
import { projects, tasks } from '../drizzle-schema.ts';

type Db = NodePgDatabase<Record<string, unknown>>;

const NOW = sql`now()`;

/** Drizzle has no soft delete: an update for each level, in a transaction. */
export const deletionsOf = (db: Db): Library['ways'] =>
  deletionWays({
    cascade: (owner) => db.transaction((tx) => cascade(tx, owner)),
    restore: (fallen) => db.transaction((tx) => restore(tx, fallen)),
    purge: (purge) => purgeAll(db, purge),
  });

async function cascade(tx: Db, owner: string): Promise<void> {
  const marks = { deletedAt: NOW, updatedAt: NOW };
  const ofOwner = and(eq(projects.ownerId, BigInt(owner)), isNull(projects.deletedAt));
  const ids = tx.select({ id: projects.id }).from(projects).where(ofOwner);
  await tx
    .update(tasks)
    .set(marks)
    .where(and(inArray(tasks.projectId, ids), isNull(tasks.deletedAt)));
  await tx.update(projects).set(marks).where(ofOwner);
}

async function restore(tx: Db, { owner, deletedAt }: Fallen): Promise<void> {
  const mark = sql`${deletedAt}::timestamptz`;
  const lifted = { deletedAt: null, updatedAt: NOW };
  const ofOwner = and(eq(projects.ownerId, BigInt(owner)), eq(projects.deletedAt, mark));
  const ids = tx.select({ id: projects.id }).from(projects).where(ofOwner);
  await tx
    .update(tasks)
    .set(lifted)
    .where(and(inArray(tasks.projectId, ids), eq(tasks.deletedAt, mark)));
  await tx.update(projects).set(lifted).where(ofOwner);
}

async function purgeAll(db: Db, { days, batch }: Purge): Promise<void> {
  const before = sql`now() - make_interval(days => ${days})`;
  await inBatches(batch, async () => {
    const old = db
      .select({ id: tasks.id })
      .from(tasks)
      .where(sql`${tasks.deletedAt} < ${before}`)
      .orderBy(tasks.deletedAt)
      .limit(batch);
    return (await db.delete(tasks).where(inArray(tasks.id, old))).rowCount ?? 0;
  });
  await inBatches(batch, async () => {
    const ofProject = db.select({ id: tasks.id }).from(tasks).where(eq(tasks.projectId, projects.id));
    const old = db
      .select({ id: projects.id })
      .from(projects)
      .where(and(sql`${projects.deletedAt} < ${before}`, notExists(ofProject)))
      .orderBy(projects.deletedAt)
      .limit(batch);
    return (await db.delete(projects).where(inArray(projects.id, old))).rowCount ?? 0;
  });
}
