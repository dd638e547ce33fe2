import { MigrationError } from '../errors.ts';
import { Session } from '../session.ts';
import type { Connection } from './connection.ts';

interface Clock {
  readonly seconds: number;
  readonly major: number;
}

const DAY = 86_400;

/** @throws MigrationError `MIGRATION.SCRATCH` when the second server shows the same day, or is of another version. */
export async function refuseSameClock(one: Connection, two: Connection): Promise<void> {
  const [first, second] = await Promise.all([one, two].map(read));
  if (!first || !second) return;
  if (first.major !== second.major)
    throw new MigrationError(
      'MIGRATION.SCRATCH',
      `The server with another clock is PostgreSQL ${second.major}, not ${first.major}, and would describe the same schema otherwise. Use the same version.`,
    );
  if (Math.abs(first.seconds - second.seconds) >= DAY) return;
  throw new MigrationError(
    'MIGRATION.SCRATCH',
    'The server with another clock shows the same time. Start it under libfaketime, at least a day apart; months find more.',
  );
}

async function read(connection: Connection): Promise<Clock | undefined> {
  const session = await Session.open(connection);
  try {
    const [row] = await session.query<{ seconds: number; major: number }>(
      `select extract(epoch from clock_timestamp())::float8 as seconds, current_setting('server_version_num')::int / 10000 as major`,
    );
    return row;
  } finally {
    await session.close();
  }
}
