import type { Id } from '../../kit/columns/index.ts';
import type { DataEntityManager } from '../../kit/orm/index.ts';
import { type GroupRecord, groupRecord } from './group-record.ts';
import { Group } from './group.entity.ts';

/** The groups of these ids in one statement, or in none; deleted ones are missing. */
export async function groupsById(
  em: DataEntityManager,
  ids: readonly (Id | null)[],
): Promise<Map<Id | null, GroupRecord>> {
  const distinct = [...new Set(ids)].filter((id) => id !== null);
  if (distinct.length === 0) return new Map();
  const reader = em.fork({ keepTransactionContext: true });
  const found = await reader.find(Group, { id: { $in: distinct } });
  return new Map(found.map((group) => [group.id, groupRecord(group)]));
}
