import type { Id } from '../../kit/columns/index.ts';
import { InvalidInputError } from '../../kit/errors/index.ts';
import { checkId, checkInteger } from '../../kit/input/index.ts';
import { type DataEntityManager, placeReads } from '../../kit/orm/index.ts';
import { retryStatement, retryTransaction } from '../../kit/transactions/index.ts';
import {
  extendSoraSlots,
  lockSoraSlots,
  type SoraSlotLease,
  type SoraSlotRequest,
  takeSoraSlots,
} from './sora-slots-statements.ts';
import { checkedHolder, checkedLease } from './sora-task-input.ts';

/** How many of each kind; what is left out is none. */
export interface SoraSlots {
  readonly image?: number;
  readonly video?: number;
}

/** Who has the slots, as people call it, and for how long unless it says more. */
export interface SoraSlotHolder {
  readonly holder: string;
  readonly leaseMs: number;
}

type Lease = Pick<SoraSlotLease, 'leaseId' | 'accountId'>;

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const RELEASE = 'delete from sora_slots where lease_id = ?::uuid';
const IN_USE = `select coalesce(sum(images), 0)::int as image, coalesce(sum(videos), 0)::int as video
  from sora_slots where account_id = ? and lease_until > statement_timestamp()`;

/**
 * How much goes on at an account at once. No account has more than its `imageConcurrency` and `videoConcurrency` at any instant,
 * whichever processes ask; a holder that dies loses its slots when its lease ends.
 */
export class SoraSlotRepository {
  readonly #em: DataEntityManager;

  static {
    placeReads(this, (own) => own.#em);
  }

  constructor(em: DataEntityManager) {
    this.#em = em;
  }

  /**
   * All of the slots, or null when not all of them are free, or the account makes no such media. Call it outside of a transaction:
   * in one, everybody else who wants slots of the account waits for its end.
   *
   * @throws NotFoundError ACCOUNT_NOT_FOUND; InvalidInputError VALIDATION.
   */
  async acquire(accountId: Id, slots: SoraSlots, holder: SoraSlotHolder): Promise<SoraSlotLease | null> {
    const request = checkedRequest(accountId, slots, holder);
    return retryTransaction(this.#em, async (tx) => {
      await lockSoraSlots(tx, request.accountId);
      return takeSoraSlots(tx, request);
    });
  }

  /**
   * Lets a lease end `leaseMs` from now; null when it has ended or was released: stop, others may have the slots.
   *
   * @throws NotFoundError ACCOUNT_NOT_FOUND, when the account was deleted meanwhile; InvalidInputError VALIDATION.
   */
  async extend(lease: Lease, leaseMs: number): Promise<Date | null> {
    const { leaseId, accountId } = checkedLeaseOf(lease);
    const milliseconds = checkedLease(leaseMs);
    return retryTransaction(this.#em, async (tx) => {
      await lockSoraSlots(tx, accountId);
      return extendSoraSlots(tx, leaseId, milliseconds);
    });
  }

  /** Gives all slots of a lease back; false when there are none any more. Any number of calls do no more than one. */
  async release(lease: Lease): Promise<boolean> {
    const values = [checkedLeaseOf(lease).leaseId];
    const release = () => this.#em.execute<{ affectedRows: number }>(RELEASE, values, 'run');
    return (await retryStatement(this.#em, release)).affectedRows > 0;
  }

  /** How many slots of each kind are in use just now. */
  async inUse(accountId: Id): Promise<Required<SoraSlots>> {
    const values = [checkId('accountId', accountId)];
    const [row] = await this.#em.execute<Required<SoraSlots>[]>(IN_USE, values);
    return { image: row?.image ?? 0, video: row?.video ?? 0 };
  }

  /**
   * Runs `work` while it has the slots, and releases them whatever becomes of it; null, and no work, when they are not free. Work
   * that may last longer than the lease extends it. A release that fails leaves the slots to the end of the lease, and does not
   * hide what the work has answered or thrown.
   *
   * @throws what `work` throws; NotFoundError ACCOUNT_NOT_FOUND; InvalidInputError VALIDATION.
   */
  async withSlots<T>(
    accountId: Id,
    slots: SoraSlots,
    holder: SoraSlotHolder,
    work: (lease: SoraSlotLease) => Promise<T>,
  ): Promise<{ readonly result: T } | null> {
    if (typeof work !== 'function') throw new InvalidInputError('work', 'be a function');
    const lease = await this.acquire(accountId, slots, holder);
    if (!lease) return null;
    try {
      return { result: await work(lease) };
    } finally {
      await this.release(lease).catch(() => undefined);
    }
  }
}

function checkedRequest(accountId: Id, slots: SoraSlots, holder: SoraSlotHolder): SoraSlotRequest {
  const id = checkId('accountId', accountId);
  if (slots === null || typeof slots !== 'object') throw new InvalidInputError('slots', 'be given');
  if (holder === null || typeof holder !== 'object') throw new InvalidInputError('holder', 'be given');
  const [images, videos] = [checkedCount('image', slots.image), checkedCount('video', slots.video)];
  if (images + videos === 0) throw new InvalidInputError('slots', 'be at least one');
  return {
    accountId: id,
    images,
    videos,
    holder: checkedHolder('holder', holder.holder),
    leaseMs: checkedLease(holder.leaseMs),
  };
}

function checkedCount(kind: string, value: unknown): number {
  return value === undefined ? 0 : checkInteger(kind, value, 0, 1000);
}

function checkedLeaseOf(lease: Lease): Lease {
  const { leaseId, accountId } = lease ?? {};
  if (typeof leaseId !== 'string' || !UUID.test(leaseId))
    throw new InvalidInputError('lease', 'be one that acquire has answered');
  return { leaseId, accountId: checkId('accountId', accountId) };
}
