import { sql } from '@mikro-orm/postgresql';
import type { Id } from '../../kit/columns/index.ts';
import { NotFoundError } from '../../kit/errors/index.ts';
import { type DataEntityManager, live } from '../../kit/orm/index.ts';
import { gatewayErrors } from '../errors.ts';
import { Proxy } from './proxy.entity.ts';

const SHARE = 'select id from proxies where id = ? and deleted_at is null for share';

/**
 * Keeps a proxy live until the transaction ends, while an account is attached to it. FOR KEY SHARE, which the foreign key
 * takes, would not do: a soft delete changes no key, and what it marks is still there for the foreign key.
 *
 * @throws NotFoundError PROXY_NOT_FOUND, also when the proxy was deleted while this waited.
 */
export async function lockLiveProxy(em: DataEntityManager, id: Id): Promise<void> {
  const rows = await em.execute<unknown[]>(SHARE, [id]);
  if (rows.length === 0) throw new NotFoundError('Proxy', gatewayErrors);
}

/** Locks a proxy that is to be deleted, against every account that is being attached; answers whether there is one. */
export async function lockProxyForDeletion(em: DataEntityManager, id: Id): Promise<boolean> {
  const rows = await em.execute<unknown[]>(
    sql`select id from proxies where id = ${id} and ${live(Proxy)} for update`,
  );
  return rows.length > 0;
}
