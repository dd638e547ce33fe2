import { SingleBar } from 'cli-progress';
import { gateway } from '../src/gateway/index.ts';
import { Migrator, type MigrationEvent } from '../src/kit/migrations/index.ts';
import { line, milliseconds } from './print.ts';

/** The last file of phase 0: users still keep their allowed groups in an array. */
export const PHASE_ZERO = 'gateway/006_widen_user_balance.sql';
/** The last file of phase 1: table and array exist side by side, so that the back-fill can be verified. */
export const PHASE_ONE = 'gateway/008_audit_orphan_allowed_groups.sql';

/** Applies the pending files up to `to`, with a progress bar on a terminal and a line per file elsewhere. */
export async function migrate(url: string, to?: string): Promise<void> {
  const bar = process.stdout.isTTY
    ? new SingleBar({ format: '  {bar} {value}/{total} {file}', hideCursor: false, clearOnComplete: false })
    : undefined;
  const onProgress = (event: MigrationEvent): void => {
    if (event.type === 'start' && event.index === 0) bar?.start(event.total, 0, { file: event.name });
    if (event.type !== 'applied') return;
    bar?.update(event.index + 1, { file: event.name });
    if (!bar) line(`  ${event.index + 1}/${event.total} ${event.name} ${milliseconds(event.ms)}`);
  };
  try {
    await new Migrator({ connection: url, modules: [gateway], onProgress }).up(to ? { to } : {});
  } finally {
    bar?.stop();
  }
}
