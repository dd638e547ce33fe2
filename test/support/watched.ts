import { formatSqlFindings, type WatchedOrm, watchSql } from 'tombstone/testing';

/**
 * Watches the statements of an ORM until its end: the answer closes it, and fails when one of them named a soft-deletable
 * table without the predicate and without a waiver.
 */
export function watched(orm: WatchedOrm & { close(): Promise<void> }): () => Promise<void> {
  const watch = watchSql(orm);
  return async () => {
    watch.close();
    await orm.close();
    const { findings } = await watch.report();
    if (findings.length > 0) throw new Error(formatSqlFindings(findings));
  };
}
