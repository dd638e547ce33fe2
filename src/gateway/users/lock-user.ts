import type { Id } from '../../kit/columns/index.ts';
import { NotFoundError } from '../../kit/errors/index.ts';
import type { DataEntityManager } from '../../kit/orm/index.ts';
import { gatewayErrors } from '../errors.ts';

// The lock of a change of the balance, so that one that follows in the same transaction raises no lock and cannot deadlock.
const LOCK = 'select id from users where id = ? and deleted_at is null for no key update';

/**
 * Keeps a user live until the transaction ends, and makes changes that take this lock run one after the other. Rows that
 * refer to the user may still be inserted meanwhile.
 *
 * @throws NotFoundError USER_NOT_FOUND, also when the user was deleted while this waited.
 */
export async function lockLiveUser(em: DataEntityManager, id: Id): Promise<void> {
  const rows = await em.execute<unknown[]>(LOCK, [id]);
  if (rows.length === 0) throw new NotFoundError('User', gatewayErrors);
}
