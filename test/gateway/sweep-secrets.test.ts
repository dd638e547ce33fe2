import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { DataEntityManager } from 'tombstone';
import { gatewayRepositories } from 'tombstone/gateway';
import { type Gateway, openGateway } from '../support/gateway.ts';
import { type Argument, SECRET } from '../support/sweep-arguments.ts';
import {
  IN_TRANSACTION,
  insertSweepRows,
  REVEALING,
  sweepCalls,
  type SweepRows,
} from '../support/sweep-calls.ts';
import { SWEEP_OPTIONS } from '../support/sweep-sora-calls.ts';

/** Tables with a column that is a secret. */
const SECRET_TABLES = ['users', 'api_keys', 'proxies', 'accounts', 'sora_accounts'];

// A message of the server that prints the whole row, as a trigger, or a check in a later version, may.
const REFUSE = `create or replace function refuse() returns trigger language plpgsql as
  $$ begin raise exception 'refused: %', new using detail = new::text; end $$`;

let gateway: Gateway;
beforeAll(async () => {
  gateway = await openGateway();
});
afterAll(() => gateway.close());

type Outcome = { readonly name: string; readonly answer?: unknown; readonly error?: Error };

/** What every method answers to valid arguments, or throws, one after the other. */
async function outcomes(rows: SweepRows): Promise<Outcome[]> {
  const found: Outcome[] = [];
  for (const [repository, calls] of Object.entries(sweepCalls(rows))) {
    for (const [method, args] of Object.entries(calls as Record<string, readonly Argument[]>)) {
      const name = `${repository}.${method}`;
      const run = async (em: DataEntityManager): Promise<unknown> => {
        const own = gatewayRepositories(em, SWEEP_OPTIONS)[repository as 'users'] as unknown as Record<
          string,
          (...all: unknown[]) => Promise<unknown>
        >;
        return own[method]?.(...args.map(({ valid }) => valid));
      };
      const call = IN_TRANSACTION.has(name) ? gateway.em().transactional(run) : run(gateway.em());
      found.push(
        await call.then(
          (answer) => ({ name, answer }),
          (error: unknown) => ({ name, error: error as Error }),
        ),
      );
    }
  }
  return found;
}

/** As a program shows a value by mistake. */
const shown = (value: unknown): string =>
  [
    JSON.stringify(value),
    inspect(value, { depth: 12 }),
    String(value),
    JSON.stringify({ ...(value as object) }),
  ].join();

/** All that an error carries by a name, down its causes. */
function carried(error: unknown): string {
  if (typeof error !== 'object' || error === null) return String(error);
  const own = Object.getOwnPropertyNames(error).map((name) => (error as Record<string, unknown>)[name]);
  return (
    own.map((value) => (value instanceof Error ? carried(value) : inspect(value, { depth: 12 }))).join() +
    shown(error)
  );
}

const showing = (found: readonly Outcome[]): string[] =>
  found
    .filter(({ answer, error }) => (error ? carried(error) : shown(answer)).includes(SECRET))
    .map(({ name }) => name);

describe('F46: a secret', () => {
  it('is shown by a row and by the driver’s error, so that the sweep would see it', async () => {
    const rows = await insertSweepRows(gateway);
    const raw = await gateway.rows('select * from api_keys where id = ?', [rows.apiKey]);
    expect(shown(raw)).toContain(SECRET);
    const { Client } = await import('pg');
    const client = new Client({ connectionString: gateway.url });
    await client.connect();
    const again = `insert into api_keys (user_id, key, name) select user_id, key, name from api_keys where id = ${rows.apiKey}`;
    expect(carried(await client.query(again).catch((error: unknown) => error))).toContain(SECRET);
    await client.end();
  });

  it('is in no answer of a repository, but for those that are asked for it', async () => {
    const found = await outcomes(await insertSweepRows(gateway));
    expect(found.filter(({ error }) => error).map(({ name, error }) => [name, String(error)])).toEqual([]);
    expect(showing(found).toSorted()).toEqual(Object.keys(REVEALING).toSorted());
  });

  it('is in no error, when everything is there already or deleted', async () => {
    const rows = await insertSweepRows(gateway);
    await outcomes(rows);
    const found = await outcomes(rows);
    expect(found.filter(({ error }) => error).length).toBeGreaterThan(5);
    expect(showing(found).filter((name) => !REVEALING[name])).toEqual([]);
  });

  it('is in no error, when the server prints the row', async () => {
    const rows = await insertSweepRows(gateway);
    await gateway.rows(REFUSE);
    for (const table of SECRET_TABLES) {
      await gateway.rows(
        `create trigger refuse before insert or update on ${table} for each row execute function refuse()`,
      );
    }
    const found = await outcomes(rows);
    const refused = found.filter(
      ({ error }) => (error as { sqlState?: string } | undefined)?.sqlState === 'P0001',
    );
    expect(refused.length).toBeGreaterThan(5);
    expect(showing(found).filter((name) => !REVEALING[name])).toEqual([]);
    for (const table of SECRET_TABLES) await gateway.rows(`drop trigger refuse on ${table}`);
  });
});
