import { MikroORM } from '@mikro-orm/postgresql';
import type { Client } from 'pg';
import { defineDataConfig, deletionJournal } from 'tombstone';
import { deleteRows } from 'tombstone/deletion';
import { withoutChecks } from '../../without-checks.ts';
import type { DeletionName, Fallen, Purge } from './deletions.ts';
import { Project, trees } from './tree-module.ts';

/** Tasks of each project. */
const TASKS = 30;
/** Projects of an owner, whose deletion is one call. */
const PROJECTS = 1000;
/** Rows that no workload touches. */
const BYSTANDERS = { owners: 200, projects: 2000 };
/** For how long rows are dead that a purge removes, and when it may. */
const DEAD_DAYS = 40;
const KEPT_DAYS = 30;

/** Three of ten projects are dead with their tasks, and one task of each other. */
const fillStatements = (scale: number): readonly string[] => [
  'truncate projects, tasks, deletion_batches, deletion_entries restart identity',
  `insert into projects (owner_id, name, deleted_at)
   select 1 + n % ${BYSTANDERS.owners * scale}, 'project ' || n, case when n % 10 in (1, 4, 7) then now() - interval '1 day' end
   from generate_series(1, ${BYSTANDERS.projects * scale}) n`,
  `insert into tasks (project_id, title, deleted_at)
   select p.id, 'task ' || n, coalesce(p.deleted_at, case when n = 7 then now() - interval '2 days' end)
   from projects p, generate_series(1, ${TASKS}) n /* soft-delete: the dead ones too, because they have tasks */`,
  'vacuum analyze projects, tasks, deletion_batches, deletion_entries',
];

/** One task of the owner is dead before anything else is. */
const PLANT = `with planted as (
    insert into projects (owner_id, name) select $1, 'planted ' || n from generate_series(1, $2::int) n returning id
  )
  insert into tasks (project_id, title, deleted_at)
  select id, 'task ' || n, case when n = 0 and id = (select min(id) from planted) then now() - interval '3 days' end
  from planted, generate_series(0, ${TASKS}) n where n > 0 or id = (select min(id) from planted)`;

const isOf = 'project_id in (select id from projects where owner_id = $1)';
const AGE = [
  `update tasks set deleted_at = deleted_at - interval '${DEAD_DAYS} days' where ${isOf}`,
  `update projects set deleted_at = deleted_at - interval '${DEAD_DAYS} days' where owner_id = $1`,
] as const;

/** Makes the tables as they are before any workload. */
export async function fillTrees(client: Client, scale: number): Promise<void> {
  await withoutChecks(client, async () => {
    for (const text of fillStatements(Math.max(1, scale))) await client.query(text);
  });
}

/** Plants live projects with their tasks. */
export async function plantOwner(client: Client, owner: string, projects: number): Promise<void> {
  await client.query(PLANT, [owner, Math.ceil(projects)]);
}

const openOrm = (clientUrl: string) =>
  MikroORM.init(
    defineDataConfig({
      clientUrl,
      modules: [trees, deletionJournal],
      pool: { min: 0, max: 1 },
      driverOptions: { options: '-c synchronous_commit=off' },
    }),
  );

/** Makes the rows that the workloads of deletion work on, as many as one call each needs. */
export class TreePlanter {
  readonly #client: Client;
  readonly #url: string;
  readonly #scale: number;
  #orm: ReturnType<typeof openOrm> | undefined;
  #owner = 1_000_000;

  /** Whose rows the last call has planted. */
  get lastOwner(): string {
    return String(this.#owner);
  }

  /** A scale below 1 makes less to delete, one above 1 more rows beside it. */
  constructor(client: Client, url: string, scale: number) {
    this.#client = client;
    this.#url = url;
    this.#scale = scale;
  }

  /** Inputs of so many calls, each with rows of its own: an owner, or what is known of a deletion of all that is theirs. */
  async plantAll(name: DeletionName, count: number): Promise<(string | Fallen | Purge)[]> {
    const inputs = [];
    for (let n = 0; n < count; n += 1) inputs.push(await this.#plant(name));
    // As the server does by itself within a minute: a guess from before would be wrong for every library.
    await this.#client.query('analyze projects, tasks, deletion_batches, deletion_entries');
    return inputs;
  }

  async #plant(name: DeletionName): Promise<string | Fallen | Purge> {
    const owner = String((this.#owner += 1));
    const projects = name.endsWith('-small')
      ? 1
      : Math.max(1, Math.round(PROJECTS * Math.min(1, this.#scale)));
    await plantOwner(this.#client, owner, projects);
    if (name.startsWith('cascade')) return owner;
    const batch = await this.#delete(owner);
    if (name === 'purge') {
      for (const text of AGE) await this.#client.query(text, [owner]);
      await this.#client.query(
        `update deletion_batches set deleted_at = deleted_at - interval '${DEAD_DAYS} days' where id = $1`,
        [batch],
      );
      return { days: KEPT_DAYS, batch: 1000 };
    }
    const { rows } = await this.#client.query<{ deletedAt: string }>(
      `select deleted_at::text as "deletedAt" from projects where owner_id = $1 limit 1 /* soft-delete: it is dead */`,
      [owner],
    );
    return { owner, batch, deletedAt: rows[0]?.deletedAt ?? '' };
  }

  /** By Tombstone, whatever library is to bring the rows back: only so they are the same for all, with a journal. */
  async #delete(owner: string): Promise<string> {
    this.#orm ??= openOrm(this.#url);
    const em = (await this.#orm).em.fork();
    return String((await deleteRows(em, Project, { ownerId: owner })).batch);
  }

  /** Leaves the bystanders alone. */
  async clear(): Promise<void> {
    await fillTrees(this.#client, this.#scale);
  }

  async close(): Promise<void> {
    await (await this.#orm)?.close();
  }
}
