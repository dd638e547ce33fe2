import type { Session } from '../../session.ts';
import type { Applied, LedgerHistory, LedgerTable } from './foreign-ledger.ts';
import { readRows } from './read-rows.ts';
import { parseVersion, showVersion } from './version.ts';

interface FlywayRow {
  readonly version: string | null;
  readonly description: string;
  readonly type: string;
  readonly script: string;
  readonly success: boolean;
}

const COLUMNS =
  "version, coalesce(description, '') as description, type, coalesce(script, '') as script, success";

/**
 * Rows are only ever added: an undone file has a row of type UNDO_… behind its own, and one that "repair" has found without a
 * file a row of type DELETE; Flyway would run both again. SCHEMA only says that Flyway made the schema.
 */
export async function readFlyway(session: Session, table: LedgerTable): Promise<LedgerHistory> {
  const rows = await readRows<FlywayRow & Record<string, unknown>>(session, table, COLUMNS, 'installed_rank');
  const applied = new Map<string, Applied>();
  const failed = new Map<string, string>();
  const notes: string[] = [];
  for (const row of rows.filter(({ type }) => type !== 'SCHEMA')) {
    const key = keyOf(row);
    failed.delete(key);
    if (!row.success) failed.set(key, failure(row));
    else if (isTakenBack(row)) applied.delete(key);
    else if (isBaseline(row)) {
      applied.set(`baseline ${key}`, { kind: 'up-to', version: row.version ?? '', isFile: false });
      notes.push(baselineNote(row));
    } else {
      // Out first, so that what was applied again stands where it was applied last.
      applied.delete(key);
      applied.set(key, appliedOf(row));
    }
  }
  return { applied: [...applied.values()], problems: [...failed.values()], notes };
}

/** `1`, `001` and `1.0` are one version to Flyway; a repeatable file is known by its description. */
function keyOf({ version, description }: FlywayRow): string {
  if (version === null) return `repeatable ${description}`;
  const parts = parseVersion(version);
  return parts === undefined ? version : showVersion(parts);
}

const isTakenBack = ({ type }: FlywayRow): boolean => type === 'DELETE' || type.startsWith('UNDO_');
const isBaseline = ({ type, version }: FlywayRow): boolean => /(^|_)BASELINE$/.test(type) && version !== null;

function appliedOf({ version, description, script }: FlywayRow): Applied {
  if (version === null) return { kind: 'repeatable', description, script };
  return { kind: 'version', version, description };
}

const nameOf = ({ version, script }: FlywayRow): string => (version === null ? script : `version ${version}`);

function failure(row: FlywayRow): string {
  return `A run of Flyway has failed at ${nameOf(row)}. Look at what that file has done, finish or undo it by hand, correct the table with "flyway repair", and run again.`;
}

function baselineNote({ version }: FlywayRow): string {
  return `Flyway was begun on a database that was there already: everything up to version ${version} counts as applied.`;
}
