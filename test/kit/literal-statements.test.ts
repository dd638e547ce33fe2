import { MikroORM } from '@mikro-orm/core';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { type DataDriver, type DataEntityManager, defineDataConfig, defineModule } from 'tombstone';
import { emptyTestDatabase } from '../support/database.ts';
import { LITERAL_STATEMENTS, LITERAL_TABLE } from './fixtures/literal-statements.ts';
import { parcelEntities } from './fixtures/parcel-model.ts';

// Statements by hand, sent with parameters and with the values in the text: answers and refusals must be the same.

type Orm = MikroORM<DataDriver, DataEntityManager>;

const model = defineModule({ name: 'parcels', migrations: '/nowhere', entities: parcelEntities });
let bound: Orm;
let plain: Orm;
beforeAll(async () => {
  const { url } = await emptyTestDatabase();
  const open = (preparedStatements: boolean) =>
    MikroORM.init(
      defineDataConfig({ clientUrl: url, modules: [model], preparedStatements, pool: { min: 0, max: 1 } }),
    );
  [bound, plain] = (await Promise.all([open(true), open(false)])) as [Orm, Orm];
  await plain.em.fork().execute(LITERAL_TABLE);
});
afterAll(async () => {
  await bound.close();
  await plain.close();
});

type Method = 'all' | 'get' | 'run';

const answer = (orm: Orm, sql: string, values: readonly unknown[], method: Method): Promise<unknown> =>
  orm.em
    .fork()
    .execute(sql, [...values], method)
    .catch(({ name, sqlState }: { name: string; sqlState: string }) => ({ name, sqlState }));

// Sent without a name, under one, and at last by a plan that may hold for all values.
const TIMES = 8;

it.each(LITERAL_STATEMENTS.map(([sql, values]) => ({ sql, values })))('$sql', async ({ sql, values }) => {
  for (const method of ['all', 'run', 'get'] as const) {
    const expected = await answer(plain, sql, values, method);
    for (let time = 0; time < TIMES; time += 1) {
      expect(await answer(bound, sql, values, method)).toEqual(expected);
    }
  }
});
