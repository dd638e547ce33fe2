import { readBackfills } from '../backfill/ledger.ts';
import type { MigrationFile } from '../files.ts';
import type { Session } from '../session.ts';
import { HAS_VERSIONS, READ_VERSIONS, type RunningCode } from './code-versions.ts';
import type { Phase, RequiredCode } from './directive.ts';
import { ContractRefusedError, type Hindrances } from './errors.ts';
import { isOlder, versionOf } from './version.ts';
import { recordWaiver, type Waiver } from './waiver.ts';

/**
 * Lets a file pass that has nothing to wait for, and one that is waived.
 *
 * @param done names of the files before it in this run.
 * @throws ContractRefusedError
 */
export async function passGate(
  file: MigrationFile,
  session: Session,
  { waive = [], done }: { waive?: readonly Waiver[]; done: readonly string[] },
): Promise<void> {
  if (!file.phase) return;
  const hindrances = await hindrancesOf(session, file.phase);
  if (hindrances.code.length + hindrances.backfills.length === 0) return;
  const waiver = waive.find((each) => each.file === file.name);
  if (!waiver) throw new ContractRefusedError(file.name, hindrances, done);
  await recordWaiver(session, waiver, hindrances);
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
