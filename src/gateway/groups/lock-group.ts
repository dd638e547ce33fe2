import type { Id } from '../../kit/columns/index.ts';
import { NotFoundError } from '../../kit/errors/index.ts';
import type { DataEntityManager } from '../../kit/orm/index.ts';
import { gatewayErrors } from '../errors.ts';

/**
 * Locks a live group until the transaction ends: `for share` while something is attached to it, `for update` while it is
 * deleted. FOR KEY SHARE would not do for the first, because a soft delete changes no key and passes it.
 *
 * @throws NotFoundError GROUP_NOT_FOUND, also when the group was deleted while this waited.
 */
export async function lockLiveGroup(
  em: DataEntityManager,
  id: Id,
  mode: 'for share' | 'for update',
): Promise<void> {
  const rows = await em.execute<unknown[]>(
    `select id from groups where id = ? and deleted_at is null ${mode}`,
    [id],
  );
  if (rows.length === 0) throw new NotFoundError('Group', gatewayErrors);
}
