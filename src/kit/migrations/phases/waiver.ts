import { MigrationError } from '../errors.ts';
import type { MigrationFile } from '../files.ts';
import { onOwnTable } from '../own-table.ts';
import type { Session } from '../session.ts';
import type { Hindrances } from './errors.ts';

/** A person's word that a contract step may be applied although something still stands against it. */
export interface Waiver {
  /** A file's name, in full, without the module, or only its number. */
  readonly file: string;
  /** Kept for those who ask later. */
  readonly reason: string;
}

const TABLE = 'public.schema_migration_waivers';
const CREATE = `create table if not exists ${TABLE} (
  id bigint generated always as identity primary key,
  filename text not null,
  reason text not null,
  hindrances jsonb not null,
  waived_by text not null default session_user,
  waived_at timestamptz not null default clock_timestamp()
)`;

/**
 * Gives waivers the full names of their files.
 *
 * @param find finds a file by what a person calls it.
 * @throws MigrationError `MIGRATION.UNSUPPORTED` for a file that is no contract step, or without a reason.
 */
export function waiversFor(
  waivers: readonly Waiver[],
  find: (name: string) => MigrationFile,
): readonly Waiver[] {
  return waivers.map(({ file, reason }) => {
    const { name, phase } = find(file);
    if (phase?.name !== 'contract')
      throw new MigrationError(
        'MIGRATION.UNSUPPORTED',
        `${name} is no contract step, so there is nothing to waive. Leave the waiver out.`,
        name,
      );
    if (reason.trim() === '')
      throw new MigrationError(
        'MIGRATION.UNSUPPORTED',
        `The waiver of ${name} needs a reason. Say why.`,
        name,
      );
    return { file: name, reason: reason.trim() };
  });
}

/** Written and committed before the step, so that it is known even when the step fails. Call it under the lock. */
export async function recordWaiver(
  session: Session,
  { file, reason }: Waiver,
  hindrances: Hindrances,
): Promise<void> {
  const values = [file, reason, JSON.stringify(hindrances)];
  await onOwnTable(TABLE, async () => {
    await session.run(CREATE);
    await session.query(`insert into ${TABLE} (filename, reason, hindrances) values ($1, $2, $3)`, values);
  });
}
