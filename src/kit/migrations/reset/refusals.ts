import { MigrationError } from '../errors.ts';
import type { Session } from '../session.ts';

const LIKE_PRODUCTION = /(^|[^a-z])(prod|production|prd|live)([^a-z]|$)/i;

/** @throws MigrationError `MIGRATION.RESET_REFUSED` unless the connected database is the one that is meant. */
export async function refuseName(session: Session, wanted: string): Promise<void> {
  const [row] = await session.query<{ name: string }>('select current_database() as name');
  const name = row?.name ?? '';
  if (name !== wanted)
    throw refused(
      `The connected database is ${name}, not ${wanted}. Name the one that shall lose everything.`,
    );
  if (LIKE_PRODUCTION.test(name))
    throw refused(`The name ${name} looks like production. Drop it by hand, if it may go.`);
}

interface Company {
  readonly pid: number;
  readonly who: string;
}

// Names of sessions of other roles can be seen, their statements cannot.
const OTHERS = `select pid, concat_ws(' ', usename, nullif(application_name, ''), 'since ' || to_char(backend_start, 'YYYY-MM-DD HH24:MI:SS')) as who
  from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend' order by pid`;

/** @throws MigrationError `MIGRATION.RESET_REFUSED` naming the other sessions, runs of migrations included. */
export async function refuseCompany(session: Session): Promise<void> {
  const others = await session.query<Company & Record<string, unknown>>(OTHERS);
  if (others.length === 0) return;
  const shown = others.map(({ pid, who }) => `${who} (pid ${pid})`).join(', ');
  throw refused(`Other sessions are connected: ${shown}. End them first.`);
}

function refused(sentence: string): MigrationError {
  return new MigrationError('MIGRATION.RESET_REFUSED', sentence);
}
