import type { Library } from '../../comparison/library.ts';
import { deletionWays, inBatches } from '../../comparison/trees/deletions.ts';
import type { PrismaClient } from '../generated/client.ts';

/** The extension marks instead of deleting, and follows no relation; a purge needs the client without it. */
export const deletionsOf = (client: PrismaClient, bare: PrismaClient): Library['ways'] =>
  deletionWays({
    cascade: (owner) => {
      const ofOwner = { ownerId: BigInt(owner), deletedAt: null };
      return client.$transaction([
        client.task.deleteMany({ where: { project: ofOwner } }),
        client.project.deleteMany({ where: ofOwner }),
      ]);
    },
    restore: ({ owner, deletedAt: text }) => {
      // A Date has no microseconds: whatever was marked in that millisecond or later.
      const deletedAt = { gte: new Date(text) };
      const ofOwner = { ownerId: BigInt(owner), deletedAt };
      const data = { deletedAt: null };
      return client.$transaction([
        client.task.updateMany({ where: { project: ofOwner, deletedAt }, data }),
        client.project.updateMany({ where: ofOwner, data }),
      ]);
    },
    purge: async ({ days, batch }) => {
      const deletedAt = { lt: new Date(Date.now() - days * 24 * 60 * 60 * 1000) };
      await inBatches(
        batch,
        async () => (await bare.task.deleteMany({ where: { deletedAt }, limit: batch })).count,
      );
      const where = { deletedAt, tasks: { none: {} } };
      await inBatches(batch, async () => (await bare.project.deleteMany({ where, limit: batch })).count);
    },
  });
