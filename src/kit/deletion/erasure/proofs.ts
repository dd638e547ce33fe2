import type { EntityClass } from '@mikro-orm/core';
import type { DataEntityManager } from '../../orm/index.ts';
import type { Deletable } from '../delete-rows.ts';
import { registered } from '../delete-rows.ts';
import type { Run } from '../catalogue.ts';
import { keyInJournal } from '../forget-fallen.ts';
import { graphOf, runOf } from '../graph-of.ts';
import type { ErasureProof } from './erasure-proof.ts';

/** Writes the proof down, in the transaction that has erased. */
export async function storeProof(run: Run, proof: ErasureProof): Promise<void> {
  await run(
    'insert into deletion_erasures (id, erased_at, table_name, key, proof) values (?, ?::timestamptz, ?, ?, ?::jsonb)',
    [proof.id, proof.erasedAt, proof.table, proof.key, JSON.stringify(proof)],
  );
}

/**
 * The proofs of what was erased of an entity, the oldest first: also when the program that erased did not live to get the answer.
 *
 * @param key only those of one row.
 */
export async function erasuresOf<Entity extends Deletable>(
  em: DataEntityManager,
  entity: EntityClass<Entity>,
  key?: unknown,
): Promise<ErasureProof[]> {
  const meta = registered(em, entity);
  const run = runOf(em.fork({ keepTransactionContext: true }));
  const table = (await graphOf(em.getDriver(), run, em.schema)).tableOf(meta);
  const isOne = key === undefined ? '' : ' and key = ?';
  const found = await run<{ proof: ErasureProof }>(
    `select proof from deletion_erasures where table_name = ?${isOne} order by erased_at, id`,
    [table?.name, ...(key === undefined ? [] : [keyInJournal(meta, [key])])],
  );
  return found.map(({ proof }) => proof);
}
