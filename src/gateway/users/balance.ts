import type { Amount, Id } from '../../kit/columns/index.ts';
import { InvalidInputError, NotFoundError } from '../../kit/errors/index.ts';
import { checkAmount, checkId } from '../../kit/input/index.ts';
import { type DataEntityManager, type PreparedStatement, scopedChange } from '../../kit/orm/index.ts';
import { gatewayErrors } from '../errors.ts';
import { BALANCE } from './user-input.ts';
import { User } from './user.entity.ts';

/** How `setBalance` uses its amount. */
export type BalanceOperation = 'set' | 'add' | 'subtract';

/** What a balance was and what it is. */
export interface BalanceChange {
  readonly before: Amount;
  readonly after: Amount;
}

const NEW_BALANCE = new Map<BalanceOperation, string>([
  ['set', '?::numeric'],
  ['add', 'balance + ?::numeric'],
  ['subtract', 'balance - ?::numeric'],
]);

/** Changes that add to what is there, one statement each; no row is changed where no user has the id. */
export const ADD_TO_BALANCE = changeOf('balance_add', 'balance = balance + $1::numeric');
export const TAKE_FROM_BALANCE = changeOf('balance_take', 'balance = balance - $1::numeric');
export const ADD_TO_CONCURRENCY = changeOf('concurrency_add', 'concurrency = concurrency + $1::int');

function changeOf(name: string, change: string): () => PreparedStatement {
  const text = (changeable: string): string =>
    `update users set ${change}, updated_at = now() where id = $2 and ${changeable}`;
  return scopedChange(`gateway_user_${name}`, (visible) => text(visible(User, 'users')));
}

/**
 * An administrator's change of a balance, in one statement.
 *
 * @throws InvalidInputError VALIDATION when the result would be negative; NotFoundError USER_NOT_FOUND.
 */
export async function changeBalance(
  em: DataEntityManager,
  userId: Id,
  operation: BalanceOperation,
  amount: Amount,
): Promise<BalanceChange> {
  const id = checkId('id', userId);
  const value = checkAmount('amount', amount, { ...BALANCE, notNegative: true });
  const expression = NEW_BALANCE.get(operation);
  if (!expression) throw new InvalidInputError('operation', 'be "set", "add" or "subtract"');
  const [row] = await em.execute<(BalanceChange & { changed: boolean })[]>(statementOf(expression), [
    value,
    id,
  ]);
  if (!row) throw new NotFoundError('User', gatewayErrors);
  if (!row.changed) throw new InvalidInputError('amount', 'leave a balance that is not negative');
  return { before: row.before, after: row.after };
}

// The lock is what makes `before` the balance that the update adds to.
function statementOf(expression: string): string {
  return `with target as (
      select id, balance as before, (${expression})::numeric(22,10) as after
      from users where id = ? and deleted_at is null for no key update
    ), changed as (
      update users u set balance = t.after, updated_at = now() from target t
      where u.id = t.id and u.deleted_at is null and t.after >= 0
      returning u.id
    )
    select before, after, exists (select from changed) as changed from target`;
}
