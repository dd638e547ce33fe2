import { escapeLiteral } from 'pg';
import type { MigrationFile } from '../files.ts';
import { onOwnTable } from '../own-table.ts';
import type { Session } from '../session.ts';
import type { RequiredCode } from './directive.ts';
import { isOlder, versionOf } from './version.ts';

const TABLE = 'public.schema_migration_floors';
const CREATE = `create table if not exists ${TABLE} (
  filename text primary key,
  requires jsonb not null,
  raised_at timestamptz not null default clock_timestamp()
)`;
export const HAS_FLOORS = `select to_regclass('${TABLE}') is not null as found`;
export const READ_FLOORS = `select filename, requires from ${TABLE} order by filename`;

/** The oldest code that a contract step, applied or being applied, leaves something to run on. */
export interface Floor {
  readonly filename: string;
  readonly requires: readonly { readonly service: string | null; readonly version: string }[];
}

/** Whether the file leaves a floor at all. */
export const hasFloor = ({ phase }: Pick<MigrationFile, 'phase'>): boolean =>
  (phase?.requiresCode.length ?? 0) > 0;

/**
 * Raises the floor of a contract step. Committed before anybody looks who is running, so that of a step and a service that
 * begin at the same time one sees the other. Call it under the lock.
 */
export async function raiseFloor(
  session: Session,
  filename: string,
  required: readonly RequiredCode[],
): Promise<void> {
  const requires = required.map(({ service, version }) => ({
    service: service ?? null,
    version: version.join('.'),
  }));
  await createFloors(session);
  const sql = `insert into ${TABLE} (filename, requires) values ($1, $2) on conflict (filename) do update set requires = excluded.requires`;
  await onOwnTable(TABLE, () => session.query(sql, [filename, JSON.stringify(requires)]));
}

/** Makes the table, which every run that reverts a contract step writes. */
export async function createFloors(session: Session): Promise<void> {
  const [table] = await session.query<{ found: boolean }>(HAS_FLOORS);
  if (!table?.found) await onOwnTable(TABLE, () => session.run(CREATE));
}

/** The statement that takes a floor away, for a message that does more. */
export function lowerFloorSql(filename: string): string {
  return `delete from ${TABLE} where filename = ${escapeLiteral(filename)}`;
}

/** Takes a floor away, where there is any. */
export async function forgetFloor(session: Session, filename: string): Promise<void> {
  const [table] = await session.query<{ found: boolean }>(HAS_FLOORS);
  if (table?.found) await session.run(lowerFloorSql(filename));
}

/** The first of the floors that the code is below, with the version that it needs. */
export function floorAbove(
  floors: readonly Floor[],
  code: { readonly service: string; readonly version: string },
): { filename: string; needs: string } | undefined {
  const own = versionOf(code.version);
  for (const { filename, requires } of floors) {
    const unmet = requires.find(({ service, version }) => {
      const needed = versionOf(version);
      return (service === null || service === code.service) && own && needed && isOlder(own, needed);
    });
    if (unmet) return { filename, needs: unmet.version };
  }
  return undefined;
}
