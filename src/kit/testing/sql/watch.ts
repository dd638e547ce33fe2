import type { Configuration } from '@mikro-orm/core';
import { listenToStatements, type SentStatement } from '../../orm/index.ts';
import type { ScopeMode } from '../../soft-delete/index.ts';
import { type MappedOrm, type SoftDeletableTable, softDeletableTables } from './tables.ts';
import { findUnguarded, type Unguarded } from './unguarded.ts';
import { withoutValues } from './without-values.ts';

/** An initialised `MikroORM` whose configuration comes from `defineDataConfig`. */
export interface WatchedOrm extends MappedOrm {
  readonly config: object;
}

/** An unguarded mention, with the statement that it was found in. */
export interface SqlFinding extends Unguarded {
  /** Without its values: `'?'` and `0` stand for them. {@link Unguarded.position} counts in this text. */
  readonly statement: string;
}

export interface SqlReport {
  /** Distinct shapes of statements that were judged. */
  readonly judged: number;
  /** Statements that ran inside a scope, which says what it shows: they are counted and not judged. */
  readonly inScopes: Readonly<Record<ScopeMode, number>>;
  readonly findings: readonly SqlFinding[];
}

export interface SqlWatch {
  /** What was found so far; each finding once, however often its statement ran. */
  report(): Promise<SqlReport>;
  /** Ends the watch; what it has found can still be asked for. */
  close(): void;
}

/** In the place of a query object of another library, whose text is not known: no statement begins like this. */
const WITHOUT_TEXT = 'unknown statement';

/**
 * Watches every statement that an ORM sends to PostgreSQL from now on: `em.execute`, the query builder, Kysely, prepared
 * statements, streams and flushes alike. It sends nothing itself and changes nothing, and needs no test framework.
 *
 * @example
 * ```ts
 * const watch = watchSql(orm);
 * // … the tests …
 * const { findings } = await watch.report();
 * assert.deepEqual(findings, [], formatSqlFindings(findings));
 * ```
 */
export function watchSql(orm: WatchedOrm): SqlWatch {
  const tables = softDeletableTables(orm);
  const sent = new Set<string>();
  const shapes = new Map<string, readonly SqlFinding[]>();
  const inScopes = { skipSoftDelete: 0, withDeleted: 0, onlyDeleted: 0 };
  const close = listenToStatements(orm.config as Configuration, ({ text, scope }: SentStatement) => {
    if (scope) inScopes[scope] += 1;
    else sent.add(text ?? WITHOUT_TEXT);
  });
  const report = async (): Promise<SqlReport> => {
    const texts = [...sent];
    sent.clear();
    for (const text of texts) {
      const shape = (await withoutValues(text)) ?? text;
      if (!shapes.has(shape)) shapes.set(shape, await findingsIn(shape, tables));
    }
    return { judged: shapes.size, inScopes: { ...inScopes }, findings: [...shapes.values()].flat() };
  };
  return { report, close };
}

async function findingsIn(statement: string, tables: readonly SoftDeletableTable[]): Promise<SqlFinding[]> {
  const found = await findUnguarded(statement, tables);
  return found.map((one) => ({
    ...one,
    statement: one.reason === 'unreadable' ? firstWordOf(statement) : statement,
  }));
}

/** A text that cannot be taken apart is not shown: somewhere in it there may be a value. */
const firstWordOf = (statement: string): string => `${/\w+/.exec(statement)?.[0] ?? ''} …`;
