import { DatabaseError } from 'pg';
import type { Session } from '../../session.ts';
import type { Blocker } from './align-step.ts';
import type { Breach } from './row-rules.ts';

/** Nothing can stand against what names a table, a column, a type or a function that is still missing. */
const NOT_YET = new Set(['42P01', '42703', '42704', '42883', '3F000']);

/** Counts the rows of each; those without any are no blockers. Everything is counted in one state of the database. */
export async function countBreaches(session: Session, breaches: readonly Breach[]): Promise<Blocker[]> {
  const blockers: Blocker[] = [];
  // Texts were printed under an empty search_path, and no timeout of a run is meant for reading whole tables.
  await session.run(
    `begin isolation level repeatable read read only; set local search_path to ''; set local statement_timeout to 0`,
  );
  try {
    for (const breach of breaches) {
      const rows = await countOf(session, breach.count);
      if (rows === 0) continue;
      const { kind, object, what, remedy, query } = breach;
      const many = rows === 1 ? '1 row' : `${rows} rows`;
      blockers.push({ kind, object, rows, query, text: `${what}: ${many}. ${remedy}` });
    }
  } finally {
    await session.run('rollback');
  }
  return blockers;
}

async function countOf(session: Session, sql: string): Promise<number> {
  await session.run('savepoint tombstone_count');
  try {
    const [row] = await session.query<{ rows: number }>(sql);
    return row?.rows ?? 0;
  } catch (error) {
    if (!(error instanceof DatabaseError) || !NOT_YET.has(error.code ?? '')) throw error;
    await session.run('rollback to savepoint tombstone_count');
    return 0;
  }
}
