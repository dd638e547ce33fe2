import { DatabaseError, escapeLiteral } from 'pg';
import type { Outcome } from './errors.ts';
import { MigrationError } from './errors.ts';
import type { Session } from './session.ts';

/** One statement of a NO TRANSACTION file that was begun, as the journal keeps it until the whole file is recorded. */
export interface JournalRow {
  readonly filename: string;
  readonly direction: Outcome['direction'];
  /** Counted from 1. */
  readonly statement: number;
  /** Of the tokens of the statement, see {@link statementChecksum}. */
  readonly checksum: string;
  readonly startedAt: Date;
  /** Null while it runs, and for ever when the run that began it was killed. */
  readonly finishedAt: Date | null;
}

const TABLE = 'public.schema_migrations_journal';
const CREATE = `create table if not exists ${TABLE} (
  filename text not null,
  direction text not null,
  statement int not null,
  checksum text not null,
  started_at timestamptz not null default clock_timestamp(),
  finished_at timestamptz,
  primary key (filename, direction, statement)
)`;
const EXISTS = `select to_regclass('${TABLE}') is not null as found`;
const READ = `select filename, direction, statement, checksum, started_at as "startedAt", finished_at as "finishedAt"
  from ${TABLE} order by filename, direction, statement`;

/** All rows of all files: those of files that a run began and did not finish. */
export async function readJournal(session: Session): Promise<JournalRow[]> {
  try {
    const [table] = await session.query<{ found: boolean }>(EXISTS);
    return table?.found ? await session.query<JournalRow>(READ) : [];
  } catch (error) {
    throw journalError(error);
  }
}

/** Which statement of which file a line of the journal is about. */
export interface JournalEntry {
  readonly filename: string;
  readonly direction: Outcome['direction'];
  readonly statement: number;
  readonly checksum: string;
}

/** The journal of one run, written in the session that runs the statements. */
export class Journal {
  readonly #session: Session;

  private constructor(session: Session) {
    this.#session = session;
  }

  /** Call it under the lock. The table is made when the first NO TRANSACTION file comes, and not before. */
  static async open(session: Session): Promise<Journal> {
    const journal = new Journal(session);
    const [table] = await session.query<{ found: boolean }>(EXISTS);
    // IF NOT EXISTS would ask for the right to create tables even where there is nothing to create.
    if (!table?.found) await journal.#write(CREATE);
    return journal;
  }

  /** Says that the statement is about to run; committed by itself. */
  async start(entry: JournalEntry): Promise<void> {
    await this.#write(upsert(entry, 'null'));
  }

  /** Says that the statement is done: by itself, or in the transaction that is open. */
  async finish(entry: JournalEntry): Promise<void> {
    await this.#write(upsert(entry, 'clock_timestamp()'));
  }

  /** Takes back the start of a statement that the server has refused. */
  async undo({ filename, direction, statement }: JournalEntry): Promise<void> {
    await this.#write(
      `delete from ${TABLE} where finished_at is null and ${of(filename, direction)} and statement = ${statement}`,
    );
  }

  /** Whether the statement was begun and is not done. */
  async isOpen({ filename, direction, statement }: JournalEntry): Promise<boolean> {
    const rows = await this.#session.query(
      `select from ${TABLE} where finished_at is null and ${of(filename, direction)} and statement = ${statement}`,
    );
    return rows.length > 0;
  }

  /** The last statement of the same file and direction that is done; 0 for none. */
  async done({ filename, direction }: JournalEntry): Promise<number> {
    const [row] = await this.#session.query<{ done: number }>(
      `select coalesce(max(statement), 0)::int as done from ${TABLE} where finished_at is not null and ${of(filename, direction)}`,
    );
    return row?.done ?? 0;
  }

  async #write(sql: string): Promise<void> {
    try {
      await this.#session.run(sql);
    } catch (error) {
      throw journalError(error);
    }
  }
}

/** The statement that empties the journal of a file, for the transaction that changes its ledger row. */
export function clearJournal(filename: string, direction: Outcome['direction']): string {
  return `delete from ${TABLE} where ${of(filename, direction)}`;
}

/** For a person who says by hand that a file is applied, or is not: that settles what a half-done run had left open. */
export async function forgetProgress(session: Session, filename: string): Promise<void> {
  const rows = (await readJournal(session)).filter((row) => row.filename === filename);
  for (const direction of new Set(rows.map((row) => row.direction)))
    await session.run(clearJournal(filename, direction));
}

// A file may hold a search_path, a role or a datestyle of its own here, so nothing depends on the session.
function upsert({ filename, direction, statement, checksum }: JournalEntry, finishedAt: string): string {
  const values = [escapeLiteral(filename), `'${direction}'`, statement, `'${checksum}'`, finishedAt];
  return `insert into ${TABLE} (filename, direction, statement, checksum, finished_at) values (${values.join(', ')})
    on conflict (filename, direction, statement)
    do update set checksum = excluded.checksum, finished_at = excluded.finished_at, started_at = excluded.started_at`;
}

function of(filename: string, direction: Outcome['direction']): string {
  return `filename = ${escapeLiteral(filename)} and direction = '${direction}'`;
}

function journalError(error: unknown): unknown {
  const code = error instanceof DatabaseError ? (error.code ?? '') : '';
  if (code === '' || /^(08|57P0)/.test(code)) return error;
  return new MigrationError(
    'MIGRATION.LEDGER',
    `The journal ${TABLE} of NO TRANSACTION files cannot be used [${code}]. ` +
      (code === '42501'
        ? 'This role may not create, read or write it, or a file has changed the role. Grant it the rights.'
        : 'Look into the log of the server.'),
  );
}
