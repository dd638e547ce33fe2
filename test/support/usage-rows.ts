import type { DataEntityManager } from 'tombstone';
import { gatewayRepositories } from 'tombstone/gateway';
import { insertAccount } from './gateway-rows.ts';
import { mustCreateApiKey, mustCreateUser } from './gateway.ts';
import type { ModelLog } from './usage-model.ts';

/** Whom random logs name: of each kind the last one is deleted. */
export interface UsageActors {
  readonly users: readonly string[];
  readonly keys: readonly string[];
  readonly accounts: readonly string[];
}

export async function mustCreateActors(em: DataEntityManager): Promise<UsageActors> {
  const [users, keys, accounts]: [string[], string[], string[]] = [[], [], []];
  for (let n = 0; n < 4; n += 1) {
    users.push((await mustCreateUser(em)).id);
    accounts.push(await insertAccount(em));
  }
  for (const userId of users) keys.push((await mustCreateApiKey(em, { userId })).id);
  const { users: userRepository, apiKeys } = gatewayRepositories(em);
  await apiKeys.delete(keys.at(-1) ?? '');
  await userRepository.delete(users.at(-1) ?? '');
  await em.execute('update accounts set deleted_at = now() where id = ? and deleted_at is null', [
    accounts.at(-1),
  ]);
  return { users, keys, accounts };
}

/** Numbers between 0 and `below`, the same in every run. */
export function randomNumbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** Logs around the instants, up to a day before and after them, with microseconds. */
export function randomLogs(
  actors: UsageActors,
  around: readonly string[],
  count: number,
  seed: number,
): ModelLog[] {
  const random = randomNumbers(seed);
  const pick = <T>(values: readonly T[]): T => values[random(values.length)] as T;
  return Array.from({ length: count }, () => {
    const cost = BigInt(random(2_000_000_000)) * 7n;
    const offset = BigInt(random(2 * 86_400_000) - 86_400_000) * 1000n + BigInt(random(1000));
    const n = random(actors.users.length);
    return {
      user: actors.users[n] as string,
      key: actors.keys[n] as string,
      account: pick(actors.accounts),
      model: pick(['claude', 'gpt', 'Opus']),
      micros: BigInt(Date.parse(pick(around))) * 1000n + offset,
      input: random(100_000),
      output: random(5000),
      written: random(1000),
      read: random(1000),
      cost,
      actual: (cost * BigInt(random(30_000))) / 10_000n,
      rate: pick([null, 0n, 12_345n, 10_000n]),
      duration: pick([null, random(9000)]),
    };
  });
}

const INSERT = `insert into usage_logs (user_id, api_key_id, account_id, model, created_at, input_tokens, output_tokens,
    cache_creation_tokens, cache_read_tokens, total_cost, actual_cost, account_rate_multiplier, duration_ms)
  select "user", key, account, model, timestamptz 'epoch' + micros * interval '1 microsecond', input, output, written,
    read, cost / 1e10, actual / 1e10, rate / 1e4, duration
  from json_to_recordset(?::json) as given ("user" bigint, key bigint, account bigint, model text, micros bigint,
    input int, output int, written int, read int, cost numeric, actual numeric, rate numeric, duration int)`;

/** Stores the logs as they are. */
export async function storeLogs(em: DataEntityManager, logs: readonly ModelLog[]): Promise<void> {
  const json = JSON.stringify(logs, (_, value: unknown) =>
    typeof value === 'bigint' ? value.toString() : value,
  );
  await em.execute(INSERT, [json], 'run');
}
