import type { DataEntityManager } from 'tombstone';
import { restore } from 'tombstone/deletion';
import { Harbour, Ship } from './model.ts';

/** So many harbours are kept alive: few, so that workers meet. */
const HARBOURS_ALIVE = 12;

const pick = <T>(all: readonly T[]): T | undefined => all[Math.floor(Math.random() * all.length)];

async function insert(em: DataEntityManager): Promise<void> {
  const all = await em.find(Harbour, {}, { limit: HARBOURS_ALIVE });
  const harbour = (all.length < HARBOURS_ALIVE ? undefined : pick(all)) ?? em.create(Harbour, {});
  em.create(Ship, { harbour });
  await em.flush();
}

async function deleteHarbour(em: DataEntityManager): Promise<void> {
  const harbour = pick(await em.find(Harbour, {}, { limit: HARBOURS_ALIVE }));
  if (!harbour) return;
  em.remove(harbour);
  await em.flush();
}

async function deleteShip(em: DataEntityManager): Promise<void> {
  const ship = pick(await em.find(Ship, {}, { limit: 20 }));
  if (!ship) return;
  em.remove(ship);
  await em.flush();
}

/** A deleted row of one of the classes, with all that fell with it. */
async function restoreOne(em: DataEntityManager): Promise<void> {
  const entity = Math.random() < 0.5 ? Harbour : Ship;
  const row = await em.onlyDeleted(async (trash) =>
    pick(await trash.find(entity as typeof Ship, {}, { limit: 20, orderBy: { id: 'desc' } })),
  );
  if (row) await restore(em, row);
}

/** Dead rows of one harbour, and that itself when nothing refers to it any more. */
async function purge(em: DataEntityManager): Promise<void> {
  await em.skipSoftDelete(async (own) => {
    const dead = pick(await own.find(Harbour, { deletedAt: { $ne: null } }, { limit: 20 }));
    if (!dead) return;
    await own.nativeDelete(Ship, { harbour: dead.id, deletedAt: { $ne: null } });
    if ((await own.count(Ship, { harbour: dead.id })) > 0) return;
    await own.nativeDelete(Harbour, { id: dead.id, deletedAt: { $ne: null } });
  });
}

const VERBS = [insert, insert, insert, insert, deleteHarbour, deleteShip, restoreOne, purge];

/** Answers that a program must expect when others are at work: not one of them leaves anything half done. */
const EXPECTED = /^(DELETION\.|DATA\.(FOREIGN_KEY|CONCURRENCY|NOT_FOUND|SOFT_DELETED_ROW)$)/;

/** Does one thing. @returns what was refused in a way that nobody expects. */
export async function operate(em: DataEntityManager): Promise<string | undefined> {
  try {
    await (pick(VERBS) ?? insert)(em);
    return undefined;
  } catch (error) {
    const { code = '', message } = error as { code?: string; message: string };
    return EXPECTED.test(code) ? undefined : `${code} ${message}`;
  }
}
