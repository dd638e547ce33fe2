import type { Pool } from 'pg';
import { gatewayRepositories, type NewUsage, recordUsage, recordUsages } from '../src/gateway/index.ts';
import type { DataEntityManager } from '../src/index.ts';
import { CALLERS } from './gateway.ts';
import type { Variant, Workload } from './measure.ts';
import {
  logsByCopy,
  manyByJson,
  manyByStage,
  manyByUnnest,
  logsByUnnest,
  manyByValues,
  oneAtOnce,
  oneInSteps,
} from './usage-by-hand.ts';
import { newUsage, type Payer, payersOf } from './usage-data.ts';
import { LOG, valuesOf } from './usage-statements.ts';
import { witness } from './usage-witness.ts';

const BATCH = 500;
/** Users of one batch. */
const OF_BATCH = 50;

/** Requests are made before the call that records them, and are not in its time. */
function recording(
  name: string,
  make: (index: number) => NewUsage,
  write: (usage: NewUsage) => Promise<unknown>,
): Variant {
  return {
    name,
    prepare: async (index) => make(index),
    run: (_index, usage) => write(usage as NewUsage),
  };
}

function batching(
  name: string,
  make: (index: number) => NewUsage[],
  write: (usages: readonly NewUsage[]) => Promise<unknown>,
): Variant {
  return {
    name,
    prepare: async (index) => make(index),
    run: (_index, usages) => write(usages as NewUsage[]),
  };
}

/** What every request writes, next to the best that a program would write by hand on `pg`, and to other ways to do it. */
export async function usageWorkloads(pool: Pool, root: DataEntityManager): Promise<Workload[]> {
  const payers = await payersOf(pool);
  const payer = (index: number): Payer => payers[index % payers.length] as Payer;
  const twice = (work: () => Promise<unknown>): Promise<unknown> => witness(pool, work);
  const once = (work: () => Promise<unknown>): Promise<unknown> => witness(pool, work, 1);
  const single = (name: string, make: (index: number) => NewUsage, callers: number): Workload => ({
    name,
    callers,
    witness: twice,
    variants: [
      recording('pg, one statement', make, (usage) => oneAtOnce(pool, usage)),
      recording('pg, transaction of three', make, (usage) => oneInSteps(pool, usage)),
      recording('tombstone', make, (usage) => recordUsage(root, usage)),
    ],
  });
  const ofAll = (index: number): NewUsage => newUsage(payer(index * 7), index);
  const ofOne = (index: number): NewUsage => newUsage(payer(0), 1 + 5 * index);
  const batch = (index: number): NewUsage[] =>
    Array.from({ length: BATCH }, (_, n) =>
      newUsage(payer(index * OF_BATCH + (n % OF_BATCH)), n + Math.floor(n / OF_BATCH)),
    );
  return [
    single('record-usage', ofAll, 1),
    single(`record-usage-by-${CALLERS}`, ofAll, CALLERS),
    single(`record-usage-hot-by-${CALLERS}`, ofOne, CALLERS),
    {
      name: 'record-usages-500',
      share: 0.25,
      witness: twice,
      variants: [
        batching('pg, UNNEST', batch, (usages) => manyByUnnest(pool, usages)),
        batching('pg, VALUES', batch, (usages) => manyByValues(pool, usages)),
        batching('pg, JSON', batch, (usages) => manyByJson(pool, usages)),
        batching('pg, COPY to a stage', batch, (usages) => manyByStage(pool, usages)),
        batching('tombstone', batch, (usages) => recordUsages(root, usages)),
      ],
    },
    {
      name: 'usage-logs-500',
      share: 0.25,
      witness: once,
      variants: [
        batching('pg, COPY', batch, (usages) => logsByCopy(pool, usages)),
        batching('pg, UNNEST', batch, (usages) => logsByUnnest(pool, usages)),
      ],
    },
    {
      name: 'usage-log-create',
      witness: twice,
      variants: [
        recording('pg, named statement', ofAll, async (usage) =>
          pool.query({ ...LOG, values: valuesOf(usage) }),
        ),
        recording('tombstone repository', ofAll, (usage) =>
          gatewayRepositories(root).usageLogs.create(usage),
        ),
      ],
    },
  ];
}
