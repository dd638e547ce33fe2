import { DatabaseError } from 'pg';
import { MigrationError } from '../errors.ts';
import type { Session } from '../session.ts';

const TABLE = 'public.schema_migration_adoption';
const CREATE = `create table if not exists ${TABLE} (
  id bigint generated always as identity primary key,
  who text not null default session_user,
  state text not null,
  step text not null,
  started_at timestamptz not null default clock_timestamp(),
  finished_at timestamptz,
  locked_ms double precision
)`;

/** What stands in the table as the last step of an adoption that has come to its end. */
const END = 'the end';

/** As what the database was found when the adoption began that has not come to its end; undefined when there is none. */
export async function begunAs(session: Session): Promise<string | undefined> {
  const [table] = await session.query<{ found: boolean }>(
    `select to_regclass('${TABLE}') is not null as found`,
  );
  if (!table?.found) return undefined;
  const [row] = await session.query<{ state: string }>(
    `select state from ${TABLE}
     where id > coalesce((select max(id) from ${TABLE} where step = $1), 0) order by id limit 1`,
    [END],
  );
  return row?.state;
}

/** Keeps which steps an adoption has taken, from when to when. A step that was killed has no end. */
export class AdoptionRecords {
  readonly #session: Session;
  readonly #state: string;

  private constructor(session: Session, state: string) {
    this.#session = session;
    this.#state = state;
  }

  /** Call it under the lock. */
  static async open(session: Session, state: string): Promise<AdoptionRecords> {
    try {
      await session.run(CREATE);
    } catch (error) {
      if (!(error instanceof DatabaseError)) throw error;
      throw new MigrationError(
        'MIGRATION.LEDGER',
        `The records of adoptions ${TABLE} cannot be made [${error.code}]. Grant this role the right to create tables in public, or run as the owner.`,
      );
    }
    return new AdoptionRecords(session, state);
  }

  /**
   * @param longest answers how long the work has held its strongest lock, in milliseconds.
   */
  async keep(step: string, work: () => Promise<void>, longest: () => number | undefined): Promise<void> {
    const [row] = await this.#session.query<{ id: string }>(
      `insert into ${TABLE} (state, step) values ($1, $2) returning id`,
      [this.#state, step],
    );
    await work();
    await this.#session.query(
      `update ${TABLE} set finished_at = clock_timestamp(), locked_ms = $2 where id = $1`,
      [row?.id, longest() ?? null],
    );
  }

  async end(): Promise<void> {
    await this.#session.query(
      `insert into ${TABLE} (state, step, finished_at) values ($1, $2, clock_timestamp())`,
      [this.#state, END],
    );
  }
}
