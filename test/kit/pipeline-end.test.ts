import { expect, it } from '@jest/globals';
import type { Pool } from 'pg';
import { ReadPipeline } from '../../src/kit/orm/read-pipeline.ts';

type Connected = (failure: Error) => void;

const CALLERS = 60_000;

it('refuses all that wait when the pool has ended, however many they are', async () => {
  let first: Connected | undefined;
  const ended = new Error('ended');
  // The first connection is not there yet when the pool ends; from then on each request is refused at once.
  const connect = (callback: Connected): void => {
    if (first) return callback(ended);
    first = callback;
  };
  const pool = { options: { max: 1 }, idleCount: 0, totalCount: 1, waitingCount: 1, connect };
  const pipeline = new ReadPipeline(pool as unknown as Pool);
  let refused = 0;
  const calls = Array.from({ length: CALLERS }, () =>
    pipeline.query({ name: 'read', text: 'select 1' }, String).catch((error: unknown) => {
      if (error === ended) refused += 1;
    }),
  );
  first?.(ended);
  await Promise.all(calls);
  expect(refused).toBe(CALLERS);
});
