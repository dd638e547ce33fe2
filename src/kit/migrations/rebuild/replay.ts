import { MigrationError } from '../errors.ts';
import { failure } from '../failure.ts';
import type { MigrationFile } from '../files.ts';
import { createLedger } from '../ledger.ts';
import { Session } from '../session.ts';
import { substitute, type Variables } from '../substitute.ts';
import type { Statement } from '../parsed-migration.ts';
import type { Connection } from './connection.ts';
import { replayStep } from './replay-step.ts';

/** How files are run into a database that nobody else uses. */
export interface ReplayOptions {
  /** The time zone of the session; UTC as in a run when left out. */
  readonly timeZone?: string | undefined;
  readonly variables?: Variables | undefined;
}

/**
 * Runs files into a scratch database one by one, in any order and direction, which a run on a real database never does: there is
 * no lock, no comparison with the ledger and no retry.
 */
export class Replay {
  readonly session: Session;
  readonly #options: ReplayOptions;
  readonly #done: string[] = [];

  private constructor(session: Session, options: ReplayOptions) {
    this.session = session;
    this.#options = options;
  }

  static async open(connection: Connection, options: ReplayOptions = {}): Promise<Replay> {
    const replay = new Replay(await Session.open(connection), options);
    await replay.#reset();
    // Files may read the ledger.
    await createLedger(replay.session);
    return replay;
  }

  /** @throws MigrationFailedError */
  async run(file: MigrationFile, direction: 'up' | 'down' = 'up'): Promise<void> {
    const { session } = this;
    const statements = substitute(file, file[direction] ?? [], this.#options.variables);
    const commit = { text: 'commit', line: statements.at(-1)?.line ?? 1 };
    if (file.transactional) await session.run('begin');
    for (const statement of file.transactional ? [...statements, commit] : statements) {
      try {
        await this.#send({ ...file, [direction]: statements }, statement, direction);
      } catch (error) {
        await this.#reset().catch(() => undefined);
        // A back-fill explains itself.
        if (error instanceof MigrationError) throw error;
        throw failure(file, statement, error, { direction, done: this.#done });
      }
    }
    await this.#reset();
    await session.query(
      direction === 'up'
        ? 'insert into public.schema_migrations (filename, checksum) values ($1, $2)'
        : 'delete from public.schema_migrations where filename = $1 and $2::text is not null',
      [file.name, file.checksum],
    );
    this.#done.push(file.name);
  }

  async close(): Promise<void> {
    await this.session.close();
  }

  async #send(file: MigrationFile, statement: Statement, direction: 'up' | 'down'): Promise<void> {
    const { session } = this;
    if (!statement.directive) return session.run(statement.text);
    return replayStep(file, statement, { session, direction, done: this.#done });
  }

  async #reset(): Promise<void> {
    await this.session.reset();
    const { timeZone } = this.#options;
    if (timeZone !== undefined)
      await this.session.query(`select set_config('timezone', $1, false)`, [timeZone]);
  }
}

/** Opens, works, closes. */
export async function withReplay<T>(
  connection: Connection,
  options: ReplayOptions,
  work: (replay: Replay) => Promise<T>,
): Promise<T> {
  const replay = await Replay.open(connection, options);
  try {
    return await work(replay);
  } catch (error) {
    throw replay.session.explain(error);
  } finally {
    await replay.close();
  }
}
