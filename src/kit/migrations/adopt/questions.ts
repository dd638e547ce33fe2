import type { LedgerRow } from '../ledger.ts';
import type { Session } from '../session.ts';
import type { Adoption, AdoptionWarning } from './adoption.ts';
import type { Blocker } from './align/align-step.ts';
import { type Simulated, tableOf } from './simulated.ts';

const LEDGER = 'public.schema_migrations';

/** What a module says that its files refuse. */
export async function obstaclesOf(
  session: Session,
  adoptions: readonly Adoption[],
  live: Simulated,
  recorded: readonly LedgerRow[],
): Promise<Blocker[]> {
  const blockers: Blocker[] = [];
  const isRecorded = (file?: string): boolean => recorded.some(({ filename }) => filename === file);
  for (const { columns, count, file, ...obstacle } of adoptions.flatMap(({ obstacles = [] }) => obstacles)) {
    if (isRecorded(file)) continue;
    const rows = await countOf(session, { columns, count }, live, recorded);
    if (rows > 0) blockers.push({ kind: 'values', ...obstacle, rows });
  }
  return blockers;
}

/** What a person should hear of and that stops nothing. */
export async function warningsOf(
  session: Session,
  adoptions: readonly Adoption[],
  live: Simulated,
  recorded: readonly LedgerRow[],
): Promise<string[]> {
  const warnings: string[] = [];
  for (const { text, ...warning } of adoptions.flatMap((adoption) => adoption.warnings)) {
    const rows = await countOf(session, warning, live, recorded);
    if (rows > 0) warnings.push(`${text} (${rows})`);
  }
  return warnings;
}

/** None where a column is missing that the query names; the ledger is no part of what is described. */
async function countOf(
  session: Session,
  { columns, count }: Pick<AdoptionWarning, 'columns' | 'count'>,
  live: Simulated,
  recorded: readonly LedgerRow[],
): Promise<number> {
  const isThere = (name: string): boolean =>
    tableOf(name) === LEDGER ? recorded.length > 0 : live.has({ kind: 'column', name });
  if (!columns.every(isThere)) return 0;
  const [row] = await session.query<Record<string, string>>(count);
  return Number(Object.values(row ?? {})[0] ?? 0);
}
