import type { Client } from 'pg';
import type { Ground } from './ground.ts';
import { type Inputs, inputsOf, isLive, removePlanted } from './inputs.ts';
import { newName, type Usage, USAGE_FIELDS, type WorkloadName } from './library.ts';
import type { Member } from './member.ts';
import { column } from './statements.ts';
import { isDeletion } from './trees/deletions.ts';
import { deletesDifferently } from './trees/verify-deletions.ts';

interface Ways {
  readonly member: Member;
  readonly way: string;
}

/** Indices whose rows have a dead owner, a dead group, and neither, among them. */
const INDICES = [0, 1, 3, 17];

/**
 * Checks that ways do a workload as the floor does it: the same rows read, the same data written, and that neither a dead
 * row nor one that was not asked for is touched.
 *
 * @throws Error naming workload and way: a ratio between different work would mean nothing.
 */
export class Verifier {
  readonly #ground: Ground;
  readonly #floor: Member;

  constructor(ground: Ground, floor: Member) {
    this.#ground = ground;
    this.#floor = floor;
  }

  async verify(workload: WorkloadName, ways: readonly Ways[]): Promise<void> {
    try {
      // Each has rows of its own, and what the one before has left is among those that it must not touch.
      for (const way of ways) await this.#verifyOne(workload, way);
    } finally {
      await removePlanted(workload, this.#ground);
    }
  }

  async #verifyOne(workload: WorkloadName, { member, way }: Ways): Promise<void> {
    const difference = await this.#difference(workload, { member, way });
    if (difference === undefined) return;
    const name = `${member.name}${way && ` [${way}]`}`;
    throw new Error(
      `${name} does not do ${workload} as pg does: ${difference}. Correct it before timing it.`,
    );
  }

  #difference(workload: WorkloadName, { member, way }: Ways): Promise<string | undefined> {
    const run = (inputs: unknown[]) => call(member, workload, way, inputs);
    if (workload === 'W1' || workload === 'W2' || workload === 'W3')
      return this.#readsDifferently(workload, { member, way });
    if (isDeletion(workload)) return deletesDifferently(workload, this.#ground, run);
    return WRITES[workload](this.#ground, run);
  }

  async #readsDifferently(workload: 'W1' | 'W2' | 'W3', { member, way }: Ways): Promise<string | undefined> {
    const inputs: unknown[] = workload === 'W1' ? ['sk-bench-1', 'sk-bench-none'] : [];
    for (const first of INDICES)
      inputs.push(...(await inputsOf(workload, { first, count: 1 }, this.#ground)));
    const expected = await call(this.#floor, workload, '', inputs);
    const found = await call(member, workload, way, inputs);
    const at = expected.findIndex((answer, n) => answer !== found[n]);
    if (at === -1) return undefined;
    return `expected ${expected[at]?.slice(0, 1200)}, answered ${found[at]?.slice(0, 1200)}`;
  }
}

async function call(
  member: Member,
  workload: WorkloadName,
  way: string,
  inputs: unknown[],
): Promise<readonly string[]> {
  return (await member.run({ workload, way, inputs, callers: 1, show: true })).seen;
}

type Caller = (inputs: unknown[]) => Promise<unknown>;
type Check = (ground: Ground, run: Caller) => Promise<string | undefined>;
type Writing = 'W4' | 'W5' | 'W6' | 'W7' | 'W8';

const WRITES: { readonly [Name in Writing]: Check } = {
  W4: async (ground, run) => {
    const inputs = await inputsOf('W4', { first: 5, count: 2 }, ground);
    await run(inputs);
    return storedDifferently(ground.client, inputs);
  },
  W5: async (ground, run) => {
    const inputs = await inputsOf('W5', { first: 5, count: 1 }, ground);
    await run(inputs);
    return storedDifferently(ground.client, inputs.flat());
  },
  W6: async (ground, run) => {
    const [doomed, other] = (await inputsOf('W6', { first: 0, count: 2 }, ground)) as [string, string];
    await run([doomed]);
    const rows = await stateOf(ground.client, [doomed, other]);
    const isRight = rows[0]?.dead && !rows[1]?.dead && rows[0].name === 'doomed';
    return isRight
      ? undefined
      : `of two keys the first should be marked, but they are ${JSON.stringify(rows)}`;
  },
  W7: async (ground, run) => {
    const [renaming] = (await inputsOf('W7', { first: 2, count: 1 }, ground)) as [Inputs['W7']];
    const dead = '601';
    await run([{ ...renaming, ids: [...renaming.ids, dead] }]);
    const rows = await stateOf(ground.client, [...renaming.ids, dead]);
    const wrong = rows.filter(({ id, name, touched, dead: isDead }) =>
      id === dead ? name !== `key ${dead}` : isDead || !touched || name !== newName(id, renaming.round),
    );
    return wrong.length === 0 ? undefined : `keys are ${JSON.stringify(wrong.slice(0, 3))}`;
  },
  W8: async (ground, run) => {
    const [deduction] = (await inputsOf('W8', { first: 2, count: 1 }, ground)) as [Inputs['W8']];
    const deadUser = Array.from({ length: 10 }, (_, n) => n + 1).find((n) => !isLive(n));
    const balances = async (): Promise<readonly string[]> => {
      const ids = [deduction.userId, deadUser];
      const text = 'select balance * 100 as cents from users where id = any ($1::bigint[]) order by id = $2';
      return (await ground.client.query<{ cents: string }>(text, [ids, deduction.userId])).rows.map(
        ({ cents }) => cents,
      );
    };
    const [dead, live] = await balances();
    await run([deduction]);
    // Whether it is an error to charge a deleted user is a matter of taste; that nothing is written is not.
    await run([{ ...deduction, userId: String(deadUser) }]).catch(() => undefined);
    const [deadAfter, liveAfter] = await balances();
    const isRight = Number(live) - Number(liveAfter) === 1 && dead === deadAfter;
    return isRight
      ? undefined
      : `balances were ${live} and ${dead} of the dead, and are ${liveAfter} and ${deadAfter}`;
  },
};

interface State {
  readonly id: string;
  readonly name: string;
  readonly dead: boolean;
  readonly touched: boolean;
}

/** In the order of the ids. */
async function stateOf(client: Client, ids: readonly string[]): Promise<State[]> {
  const { rows } = await client.query<State>(
    `select id, name, deleted_at is not null as dead, updated_at <> created_at as touched
     from api_keys where id = any ($1::bigint[]) order by array_position($1::bigint[], id)`,
    [ids],
  );
  return rows;
}

/** Compares stored rows with what was given, and sees that columns that were not given have their defaults. */
async function storedDifferently(client: Client, usages: readonly Usage[]): Promise<string | undefined> {
  const columns = USAGE_FIELDS.map((field) => `${column(field)} as "${field}"`).join(', ');
  const { rows } = await client.query<Record<string, unknown>>(
    `select ${columns}, array_position($1::text[], request_id::text) as position,
       image_count = 0 and not stream and billing_type = 0 and created_at > now() - interval '1 minute' as defaults
     from usage_logs where request_id = any ($1::text[]) order by position`,
    [usages.map((usage) => usage.requestId)],
  );
  if (rows.length !== usages.length) return `${rows.length} rows are stored instead of ${usages.length}`;
  const at = rows.findIndex((row, n) => !isSame(row, usages[n]));
  return at === -1
    ? undefined
    : `stored ${JSON.stringify(rows[at])} instead of ${JSON.stringify(usages[at])}`;
}

const isSame = (row: Record<string, unknown>, usage: Usage | undefined): boolean =>
  row['defaults'] === true &&
  USAGE_FIELDS.every((field) => {
    const [stored, given] = [String(row[field]), String(usage?.[field])];
    return stored === given || Number(stored) === Number(given);
  });
