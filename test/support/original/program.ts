import type { Client } from 'pg';
import { columnsByTable } from './series.ts';

/** A log as the original program stores it. */
export interface ProgramLog {
  readonly userId: string;
  readonly keyId: string;
  readonly accountId: string;
  /** An empty text where a request had no id. */
  readonly requestId: string;
  readonly cost: string;
}

/** What the original program writes; the statements depend on the form of the tables when it started. */
export interface OriginalProgram {
  readonly phase: 0 | 1 | 2;
  /** Gives the id. Groups go to the array, to the table, or to both; undefined leaves them out, as a sign-up does. */
  insertUser(email: string, groups?: readonly string[]): Promise<string>;
  /** Replaces the groups of a user, as the form of an administrator does. */
  setGroups(userId: string, groups: readonly string[]): Promise<void>;
  charge(userId: string, amount: string): Promise<void>;
  /** Gives whether a row was stored: where the unique is there, a request is stored once. */
  insertLog(log: ProgramLog): Promise<boolean>;
  /** Writes every column back, as the original does after a refresh of tokens. */
  updateAccount(accountId: string, token: string): Promise<void>;
}

/** A client as the original program has it; it looks at the tables once, as a compiled program knows them. */
export async function originalProgram(client: Client): Promise<OriginalProgram> {
  const columns = await columnsByTable(client);
  const hasArray = columns.get('users')?.includes('allowed_groups') === true;
  const hasTable = columns.has('user_allowed_groups');
  const hasUnique = await hasUniqueRequests(client);
  const writer = new GroupWriter(client, hasArray, hasTable);
  return {
    phase: hasTable ? (hasArray ? 1 : 2) : 0,
    insertUser: async (email, groups) =>
      inTransaction(client, () => insertUser(client, writer, email, groups)),
    setGroups: async (userId, groups) => inTransaction(client, () => writer.set(userId, groups)),
    charge: async (userId, amount) => {
      const sql = `update users set balance = balance - $2, updated_at = now() where id = $1 and deleted_at is null`;
      await client.query(sql, [userId, amount]);
    },
    insertLog: async (log) => insertLog(client, log, hasUnique),
    updateAccount: async (accountId, token) => updateAccount(client, accountId, token),
  };
}

async function inTransaction<T>(client: Client, work: () => Promise<T>): Promise<T> {
  await client.query('begin');
  try {
    const done = await work();
    await client.query('commit');
    return done;
  } catch (error) {
    await client.query('rollback');
    throw error;
  }
}

async function insertUser(
  client: Client,
  writer: GroupWriter,
  email: string,
  groups?: readonly string[],
): Promise<string> {
  // Every column that the program knows, whatever its default; the time is the program's own.
  const { rows } = await client.query<{ id: string }>(
    `insert into users (email, password_hash, role, balance, concurrency, status, username, notes, created_at, updated_at)
     values ($1, 'hash', 'user', 0, 5, 'active', '', '', $2, $2) returning id`,
    [email, new Date()],
  );
  const id = rows[0]?.id ?? '';
  if (groups) await writer.set(id, groups);
  return id;
}

/** Sorted ids or NULL in the array; in the table the rows of the user, deleted and stored again. */
class GroupWriter {
  readonly #client: Client;
  readonly #hasArray: boolean;
  readonly #hasTable: boolean;

  constructor(client: Client, hasArray: boolean, hasTable: boolean) {
    this.#client = client;
    this.#hasArray = hasArray;
    this.#hasTable = hasTable;
  }

  async set(userId: string, groups: readonly string[]): Promise<void> {
    const ids = [...new Set(groups)].toSorted((a, b) => Number(a) - Number(b));
    if (this.#hasArray) {
      const sql = 'update users set allowed_groups = $2::bigint[], updated_at = now() where id = $1';
      await this.#client.query(sql, [userId, ids.length > 0 ? ids : null]);
    }
    if (!this.#hasTable) return;
    await this.#client.query('delete from user_allowed_groups where user_id = $1', [userId]);
    const sql = `insert into user_allowed_groups (user_id, group_id) select $1, unnest($2::bigint[]) on conflict do nothing`;
    await this.#client.query(sql, [userId, ids]);
  }
}

async function insertLog(client: Client, log: ProgramLog, hasUnique: boolean): Promise<boolean> {
  const conflict = hasUnique ? 'on conflict (request_id, api_key_id) do nothing' : '';
  const { rowCount } = await client.query(
    `insert into usage_logs (user_id, api_key_id, account_id, request_id, model, input_tokens, output_tokens, total_cost, actual_cost, created_at)
     values ($1, $2, $3, $4, 'claude-sonnet-4', 10, 5, $5, $5, now()) ${conflict}`,
    [log.userId, log.keyId, log.accountId, log.requestId, log.cost],
  );
  return rowCount === 1;
}

async function updateAccount(client: Client, accountId: string, token: string): Promise<void> {
  await client.query(
    `update accounts set name = name, platform = platform, type = type, credentials = credentials || jsonb_build_object('access_token', $2::text),
       extra = extra, concurrency = concurrency, priority = priority, status = status, last_used_at = now(), updated_at = now()
     where id = $1 and deleted_at is null`,
    [accountId, token],
  );
}

async function hasUniqueRequests(client: Client): Promise<boolean> {
  const { rows } = await client.query<{ found: boolean }>(
    `select exists (select from pg_index where indrelid = 'usage_logs'::regclass and indisunique
       and pg_get_indexdef(indexrelid) like '%(request_id, api_key_id)') as found`,
  );
  return rows[0]?.found === true;
}
