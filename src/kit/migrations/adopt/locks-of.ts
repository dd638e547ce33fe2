import { planned } from '../dry-run.ts';
import type { MigrationFile } from '../files.ts';
import type { Session } from '../session.ts';
import type { TableLock } from './align/align-step.ts';

/** A lock that stops writers of a table, and the statement of the file that takes it. */
export interface StatementLock {
  /** Qualified. */
  readonly table: string;
  readonly lock: TableLock;
  /** Counted from 1. */
  readonly statement: number;
}

const THERE = `select t as name, format('%I.%I', n.nspname, c.relname) as "table" from unnest($1::text[]) t
  join pg_class c on c.oid = to_regclass(t) join pg_namespace n on n.oid = c.relnamespace`;

/** The locks of a file that stop writers, on tables that are there: nobody waits for one that the file makes itself. */
export async function locksOf(session: Session, file: MigrationFile): Promise<StatementLock[]> {
  const [plan] = await planned([file], 'up', []);
  const locks = (plan?.statements ?? []).flatMap((statement, index) =>
    statement.locks.flatMap(({ table, mode }) =>
      mode === 'ACCESS EXCLUSIVE' || mode === 'SHARE ROW EXCLUSIVE'
        ? { name: table, lock: mode, statement: index + 1 }
        : [],
    ),
  );
  const names = [...new Set(locks.map(({ name }) => name))];
  const there = await session.query<{ name: string; table: string }>(THERE, [names]);
  return locks.flatMap(({ name, lock, statement }) => {
    const found = there.find((each) => each.name === name);
    return found ? { table: found.table, lock, statement } : [];
  });
}
