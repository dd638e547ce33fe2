import type { Id } from '../../kit/columns/index.ts';
import { NotFoundError } from '../../kit/errors/index.ts';
import { checkId, checkIds, checkInteger } from '../../kit/input/index.ts';
import { type DataEntityManager, unitOfWork } from '../../kit/orm/index.ts';
import { retryTransaction } from '../../kit/transactions/index.ts';
import { gatewayErrors } from '../errors.ts';
import { lockLiveGroup, lockLiveGroups } from '../groups/lock-group.ts';
import { enqueueEvent } from '../outbox/enqueue-event.ts';
import { Account } from './account.entity.ts';

const LOCK = 'select id from accounts where id = ? and deleted_at is null for no key update';
const ADD = 'insert into account_groups (account_id, group_id, priority) values (?, ?, ?)';
const REMOVE = 'delete from account_groups where account_id = ? and group_id = ?';
const REMOVE_ALL = 'delete from account_groups where account_id = ? returning group_id';
const BIND = `insert into account_groups (account_id, group_id, priority)
  select ?::bigint, id, position from unnest(?::bigint[]) with ordinality as given (id, position)`;

/** Binds an account to one more group. @throws ConflictError ACCOUNT_GROUP_EXISTS; NotFoundError; InvalidInputError. */
export async function addBinding(
  em: DataEntityManager,
  accountId: Id,
  groupId: Id,
  priority: number,
): Promise<void> {
  const [account, group] = [checkId('accountId', accountId), checkId('groupId', groupId)];
  const values = [account, group, checkInteger('priority', priority)];
  await withAccount(em, account, async (tx) => {
    await lockLiveGroup(tx, group);
    await tx.execute(ADD, values, 'run');
    await bindingsChanged(tx, account, [group]);
  });
}

/** Takes a binding away, whatever is deleted; answers whether there was one. */
export async function removeBinding(em: DataEntityManager, accountId: Id, groupId: Id): Promise<boolean> {
  const [account, group] = [checkId('accountId', accountId), checkId('groupId', groupId)];
  return unitOfWork(em, async (tx) => {
    const { affectedRows } = await tx.execute<{ affectedRows: number }>(REMOVE, [account, group], 'run');
    if (affectedRows > 0) await bindingsChanged(tx, account, [group]);
    return affectedRows > 0;
  });
}

/**
 * Replaces all bindings of an account. Two calls for one account follow each other, because each locks it first; the
 * groups come before the bindings, as in the deletion of a group.
 *
 * @throws NotFoundError ACCOUNT_NOT_FOUND, GROUP_NOT_FOUND; InvalidInputError VALIDATION.
 */
export async function replaceBindings(
  em: DataEntityManager,
  accountId: Id,
  groupIds: readonly Id[],
): Promise<void> {
  const account = checkId('accountId', accountId);
  const ordered = checkIds('groupIds', groupIds);
  const meant = new Set(ordered);
  const wanted = [...new Set(groupIds)].filter((id) => meant.has(id));
  await withAccount(em, account, async (tx) => {
    if ((await lockLiveGroups(tx, ordered)).length < ordered.length)
      throw new NotFoundError('Group', gatewayErrors);
    const removed = await tx.execute<{ group_id: Id }[]>(REMOVE_ALL, [account]);
    if (wanted.length > 0) await tx.execute(BIND, [account, `{${wanted.join(',')}}`], 'run');
    const touched = checkIds('groupIds', [...removed.map((row) => row.group_id), ...wanted]);
    if (touched.length > 0) await bindingsChanged(tx, account, touched);
  });
}

/** Soft-deletes an account and removes its bindings; a missing one is a success. */
export async function deleteAccount(em: DataEntityManager, accountId: Id): Promise<void> {
  const id = checkId('id', accountId);
  await retryTransaction(em, (outer) =>
    unitOfWork(outer, async (tx) => {
      // First the account, as those do who bind it: what is being bound comes before, or finds no account.
      if (!(await tx.getRepository(Account).softDelete(id))) return;
      const removed = await tx.execute<{ group_id: Id }[]>(REMOVE_ALL, [id]);
      const groupIds = checkIds(
        'groupIds',
        removed.map((row) => row.group_id),
      );
      await enqueueEvent(tx, {
        eventType: 'account_changed',
        accountId: id,
        payload: { group_ids: groupIds },
      });
    }),
  );
}

async function withAccount(
  em: DataEntityManager,
  id: Id,
  work: (tx: DataEntityManager) => Promise<void>,
): Promise<void> {
  await retryTransaction(em, (outer) =>
    unitOfWork(outer, async (tx) => {
      const rows = await tx.execute<unknown[]>(LOCK, [id]);
      if (rows.length === 0) throw new NotFoundError('Account', gatewayErrors);
      await work(tx);
    }),
  );
}

async function bindingsChanged(em: DataEntityManager, accountId: Id, groupIds: Id[]): Promise<void> {
  await enqueueEvent(em, {
    eventType: 'account_groups_changed',
    accountId,
    payload: { group_ids: groupIds },
  });
}
