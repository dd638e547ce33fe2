import { expect } from '@jest/globals';
import type { Gateway } from './gateway.ts';
import { type PlanNode, scansOf } from './usage-scans.ts';

/** The statements that the work sends, with their values. */
export async function sentBy(gateway: Gateway, work: () => Promise<unknown>): Promise<string[]> {
  gateway.statements();
  await work();
  return gateway.statements().map((sql) => sql.replace(/ \[took .*$/s, ''));
}

/**
 * Expects that the statements read logs and ledger by these scans and no others, and that they would read them otherwise if
 * the index were not there. `equals` is a scan that the planner may choose as well, where two are worth the same.
 */
export async function expectScans(
  gateway: Gateway,
  index: string,
  expected: readonly string[],
  statements: readonly string[],
  equals?: string,
): Promise<void> {
  const here = (await scansBy((sql) => gateway.rows(sql), statements)).filter((scan) => scan !== equals);
  expect(here).toEqual(expected.toSorted());
  let without: unknown;
  const dropped = gateway.em().transactional(async (em) => {
    const isKey = index.endsWith('_pkey');
    await em.execute(
      isKey ? `alter table usage_logs drop constraint ${index} cascade` : `drop index ${index}`,
    );
    // An insert that needs the index to know its conflicts fails.
    without = await scansBy((sql) => em.execute(sql), statements).catch((error: unknown) => error);
    throw new Error('rolled back');
  });
  await expect(dropped).rejects.toThrow('rolled back');
  expect(without).not.toEqual(here);
}

type Execute = (sql: string) => Promise<{ 'QUERY PLAN': [{ Plan: PlanNode }] }[]>;

async function scansBy(execute: Execute, statements: readonly string[]): Promise<string[]> {
  const found = new Set<string>();
  for (const sql of statements) {
    const [row] = await execute(`explain (format json, costs off) ${sql}`);
    if (row) for (const scan of scansOf(row['QUERY PLAN'][0].Plan)) found.add(scan);
  }
  return [...found].toSorted();
}
