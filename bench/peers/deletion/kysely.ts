import { type Kysely, sql } from 'kysely';
import type { Library } from '../../comparison/library.ts';
import { deletionWays, type Fallen, inBatches, type Purge } from '../../comparison/trees/deletions.ts';

interface Row {
  readonly id: string;
  readonly deleted_at: Date | null;
  readonly updated_at: Date;
}
interface Trees {
  projects: Row & { owner_id: string };
  tasks: Row & { project_id: string };
}

const NOW = sql<Date>`now()`;

/** Kysely has no soft delete: an update for each level, in a transaction. */
export function deletionsOf(database: Kysely<never>): Library['ways'] {
  const db = database as unknown as Kysely<Trees>;
  return deletionWays({
    cascade: (owner) => db.transaction().execute((tx) => cascade(tx, owner)),
    restore: (fallen) => db.transaction().execute((tx) => restore(tx, fallen)),
    purge: (purge) => purgeAll(db, purge),
  });
}

async function cascade(tx: Kysely<Trees>, owner: string): Promise<void> {
  const marks = { deleted_at: NOW, updated_at: NOW };
  const ofOwner = tx
    .selectFrom('projects')
    .select('id')
    .where('owner_id', '=', owner)
    .where('deleted_at', 'is', null);
  await tx
    .updateTable('tasks')
    .set(marks)
    .where('project_id', 'in', ofOwner)
    .where('deleted_at', 'is', null)
    .execute();
  await tx
    .updateTable('projects')
    .set(marks)
    .where('owner_id', '=', owner)
    .where('deleted_at', 'is', null)
    .execute();
}

async function restore(tx: Kysely<Trees>, { owner, deletedAt }: Fallen): Promise<void> {
  const mark = sql<Date>`${deletedAt}::timestamptz`;
  const lifted = { deleted_at: null, updated_at: NOW };
  const ofOwner = tx
    .selectFrom('projects')
    .select('id')
    .where('owner_id', '=', owner)
    .where('deleted_at', '=', mark);
  await tx
    .updateTable('tasks')
    .set(lifted)
    .where('project_id', 'in', ofOwner)
    .where('deleted_at', '=', mark)
    .execute();
  await tx
    .updateTable('projects')
    .set(lifted)
    .where('owner_id', '=', owner)
    .where('deleted_at', '=', mark)
    .execute();
}

async function purgeAll(db: Kysely<Trees>, { days, batch }: Purge): Promise<void> {
  const before = sql<Date>`now() - make_interval(days => ${days})`;
  await inBatches(batch, async () => {
    const old = db
      .selectFrom('tasks')
      .select('id')
      .where('deleted_at', '<', before)
      .orderBy('deleted_at')
      .limit(batch);
    const { numDeletedRows } = await db.deleteFrom('tasks').where('id', 'in', old).executeTakeFirst();
    return Number(numDeletedRows);
  });
  await inBatches(batch, async () => {
    const old = db
      .selectFrom('projects as p')
      .select('p.id')
      .where('p.deleted_at', '<', before)
      .where((eb) =>
        eb.not(eb.exists(eb.selectFrom('tasks as t').select('t.id').whereRef('t.project_id', '=', 'p.id'))),
      )
      .orderBy('p.deleted_at')
      .limit(batch);
    const { numDeletedRows } = await db.deleteFrom('projects').where('id', 'in', old).executeTakeFirst();
    return Number(numDeletedRows);
  });
}
