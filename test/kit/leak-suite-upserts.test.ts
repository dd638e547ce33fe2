import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { runLeakSuite } from 'tombstone/testing';
import { DataEntityManager, SoftDeleteError } from '../../src/kit/orm/index.ts';
import { currentScope, guardsWrites } from '../../src/kit/soft-delete/index.ts';
import { openUpserts, type Upserts } from './fixtures/upsert-model.ts';

let db: Upserts;
beforeAll(async () => {
  db = await openUpserts();
});
afterAll(() => db.close());

type Upsert = (this: DataEntityManager, entity: { name: string }, ...rest: unknown[]) => Promise<unknown>;

/** Verdicts of `em.upsert`, by entity, when it does something else with the guard on. */
const verdicts = async (other?: Upsert) => {
  const prototype = DataEntityManager.prototype as unknown as { upsert: Upsert };
  const own = prototype.upsert;
  prototype.upsert = function (...args) {
    return Reflect.apply(other && guardsWrites(currentScope()) ? other : own, this, args);
  };
  try {
    const { results } = await runLeakSuite(db.orm);
    const upserts = results.filter((result) => result.verb === 'upsert');
    return upserts.map(({ entity, verdict, note }) => [entity, verdict, note].filter(Boolean).join(' '));
  } finally {
    prototype.upsert = own;
  }
};

it('an upsert is tight when it does what the policy says', async () => {
  expect(await verdicts()).toEqual([
    'Beside tight SoftDeletedRowError',
    'Refused tight SoftDeletedRowError',
    'Revived tight',
  ]);
});

it('an upsert that should revive and does nothing is broken', async () => {
  expect(await verdicts(() => Promise.resolve())).toEqual([
    'Beside tight',
    'Refused tight',
    'Revived broken not revived',
  ]);
});

it('an entity with a policy that is told to have none is broken', async () => {
  const refusing: Upsert = ({ name }) => Promise.reject(SoftDeleteError.upsert(name));
  expect(await verdicts(refusing)).toEqual([
    'Beside broken SoftDeleteError',
    'Refused broken SoftDeleteError',
    'Revived broken SoftDeleteError',
  ]);
});
