import { liftingMarks, type DataDriver } from '../../orm/index.ts';
import { retryLostRace } from '../../transactions/index.ts';
import type { Run } from '../catalogue.ts';
import { runIn } from '../graph-of.ts';
import { lockHolds } from '../holds/held-sql.ts';
import { statement, type Values } from '../statement.ts';
import { keysAt, type LockedKeys, removeLocked } from './batch-sql.ts';
import type { PurgeGraph, PurgeTable } from './purge-graph.ts';

/** What a purge works with. */
export interface PurgeWork {
  readonly driver: DataDriver;
  readonly graph: PurgeGraph;
  readonly values: Values;
}

/** Rows that one transaction has removed. */
export interface BatchResult {
  readonly counts: readonly { readonly kind: 'row' | 'link'; readonly name: string; readonly rows: number }[];
  readonly locked: readonly LockedKeys[];
}

/**
 * One batch: a transaction of its own, at READ COMMITTED whatever the default, because the second look must see what has been
 * committed since the first. `lock` locks the rows that are to go.
 */
export function purgeBatch(
  { driver, graph, values }: PurgeWork,
  tables: readonly PurgeTable[],
  lock: (ask: <Row extends object>(text: string, more?: Values) => Promise<Row[]>) => Promise<LockedKeys[]>,
): Promise<BatchResult> {
  const work = () =>
    driver.getConnection('write').transactional(
      async (ctx) => {
        const run: Run = runIn(driver, ctx);
        const ask = <Row extends object>(text: string, more: Values = {}) => {
          const { sql, params } = statement(text, { ...values, ...more });
          return run<Row>(sql, params);
        };
        if (graph.hasHolds) await lockHolds(run);
        const locked = await lock(ask);
        if (locked.length === 0) return { counts: [], locked };
        const keys = tables.map(({ name }, index) => [
          keysAt(index),
          locked.find((one) => one.name === name)?.keys ?? '{}',
        ]);
        const counts = await ask<BatchResult['counts'][number]>(
          removeLocked(tables, graph.edges),
          Object.fromEntries(keys),
        );
        return { counts, locked };
      },
      { isolationLevel: 'read committed' as never },
    );
  // The backstop of the tables must let a purge pass, which it knows as work of the layer.
  return liftingMarks(() => retryLostRace(work));
}
