import { MikroORM } from '@mikro-orm/core';
import { type DataEntityManager, defineDataConfig, deletionJournal } from 'tombstone';
import { checkDeletion, deleteRows, erase, restore, withDeletionContext } from 'tombstone/deletion';
import { house, Label } from './model.ts';
import { rootOf } from './trees.ts';

export type Operation = (em: DataEntityManager, tree: number) => Promise<unknown>;

/** The ways to delete the root of a tree. */
const DELETIONS: readonly Operation[] = [
  async (em, tree) => {
    em.remove(await em.findOneOrFail(Label, rootOf(tree)));
    await em.flush();
  },
  (em, tree) => em.nativeDelete(Label, { id: rootOf(tree) }),
  (em, tree) => em.getRepository(Label).softDelete(rootOf(tree)),
  (em, tree) => deleteRows(em, Label, { id: rootOf(tree) }),
];

const bringBack: Operation = async (em, tree) => {
  const row = await em.onlyDeleted((trash) => trash.findOneOrFail(Label, rootOf(tree)));
  return restore(em, row);
};

const remove: Operation = (em, tree) => erase(em, Label, rootOf(tree), { mode: 'remove', reason: 'request' });

const scrub: Operation = (em, tree) =>
  erase(em, Label, rootOf(tree), { mode: { scrub: { name: 'erased' } }, reason: 'request' });

/** How many operations one tree goes through. */
export const STEPS = 5;

/** The erasures of a tree, by step: of a live row, or of a dead one that was scrubbed before. */
const erasuresOf = (tree: number): Readonly<Record<number, Operation>> =>
  tree % 3 === 0 ? { 3: scrub, 4: remove } : { 4: remove };

export const isErasure = (tree: number, step: number): boolean => step in erasuresOf(tree);

/** The operation of a tree at a step: deletions in all ways, restores between them, and an erasure at the end. */
function operationOf(tree: number, step: number): Operation {
  const deletion = DELETIONS[(tree + step / 2) % DELETIONS.length] as Operation;
  return erasuresOf(tree)[step] ?? (step % 2 === 1 ? bringBack : deletion);
}

/** Trees of one kind go through the same operations. */
export const kindOf = (tree: number): number => tree % (3 * DELETIONS.length);

/** What works on the trees. */
export interface House {
  run(tree: number, step: number): Promise<void>;
  rows<T extends object>(sql: string): Promise<T[]>;
  close(): Promise<void>;
}

/** Connects, and reads the foreign keys, so that nothing is left to do but the operations. */
export async function openHouse(clientUrl: string, connections: number): Promise<House> {
  const pool = { min: connections, max: connections };
  const orm = await MikroORM.init(defineDataConfig({ clientUrl, modules: [house, deletionJournal], pool }));
  await checkDeletion(orm.em.fork());
  return {
    run: async (tree, step) => {
      // The journal has no other place that says for which tree a batch without entries is.
      await withDeletionContext({ actor: String(tree) }, () => operationOf(tree, step)(orm.em.fork(), tree));
    },
    rows: (sql) => orm.em.fork().skipSoftDelete((all) => all.execute(sql)),
    close: () => orm.close(),
  };
}
