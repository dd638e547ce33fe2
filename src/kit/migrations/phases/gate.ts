import { readBackfills } from '../backfill/ledger.ts';
import type { Execution } from '../execution.ts';
import type { MigrationFile } from '../files.ts';
import type { Session } from '../session.ts';
import { HAS_VERSIONS, READ_VERSIONS, type RunningCode } from './code-versions.ts';
import type { Phase, RequiredCode } from './directive.ts';
import { ContractRefusedError, type Hindrances } from './errors.ts';
import { createFloors, hasFloor, lowerFloorSql, raiseFloor } from './floor.ts';
import { isOlder, versionOf } from './version.ts';
import { recordWaiver, type Waiver } from './waiver.ts';

/**
 * Does the work of one direction of a file. Up only when nothing stands against it, or a person has waived what does.
 *
 * @throws ContractRefusedError
 */
export async function throughGate<T>(
  file: MigrationFile,
  { session, direction, done }: Pick<Execution, 'session' | 'direction' | 'done'>,
  waive: readonly Waiver[],
  work: () => Promise<T>,
): Promise<T> {
  if (direction === 'down') {
    if (hasFloor(file)) await createFloors(session);
    return work();
  }
  await pass(file, session, waive, done);
  try {
    return await work();
  } catch (error) {
    // What stopped half-way has taken something away, so its floor stays.
    if (file.transactional) await lowerFloor(session, file).catch(() => undefined);
    throw error;
  }
}

async function pass(
  file: MigrationFile,
  session: Session,
  waive: readonly Waiver[],
  done: readonly string[],
): Promise<void> {
  if (!file.phase) return;
  if (hasFloor(file)) await raiseFloor(session, file.name, file.phase.requiresCode);
  const hindrances = await hindrancesOf(session, file.phase);
  if (hindrances.code.length + hindrances.backfills.length === 0) return;
  // Refused, nothing is taken away; waived, somebody answers for the code that is older.
  await lowerFloor(session, file);
  const waiver = waive.find((each) => each.file === file.name);
  if (!waiver) throw new ContractRefusedError(file.name, hindrances, done);
  await recordWaiver(session, waiver, hindrances);
}

async function lowerFloor(session: Session, file: MigrationFile): Promise<void> {
  if (hasFloor(file)) await session.run(lowerFloorSql(file.name));
}

async function hindrancesOf(session: Session, phase: Phase): Promise<Hindrances> {
  const { requiresCode, requiresBackfills } = phase;
  const running = requiresCode.length > 0 ? await runningCode(session) : [];
  const backfills: string[] = [];
  for (const name of requiresBackfills) {
    const rows = (await readBackfills(session, name)).filter(({ direction }) => direction === 'up');
    if (rows.length === 0 || rows.some(({ verifiedAt }) => verifiedAt === null)) backfills.push(name);
  }
  return { code: running.flatMap((code) => tooOld(code, requiresCode)), backfills };
}

async function runningCode(session: Session): Promise<RunningCode[]> {
  const [table] = await session.query<{ found: boolean }>(HAS_VERSIONS);
  return table?.found ? session.query<RunningCode & object>(READ_VERSIONS) : [];
}

function tooOld(code: RunningCode, required: readonly RequiredCode[]): Hindrances['code'] {
  const version = versionOf(code.version);
  const unmet = required.find(
    (each) =>
      (each.service === undefined || each.service === code.service) &&
      // What is no version was written by hand, and nobody can say that it is new enough.
      (!version || isOlder(version, each.version)),
  );
  return unmet ? [{ ...code, needs: unmet.version.join('.') }] : [];
}
