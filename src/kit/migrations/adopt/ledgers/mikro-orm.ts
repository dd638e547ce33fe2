import type { Session } from '../../session.ts';
import type { LedgerHistory, LedgerTable } from './foreign-ledger.ts';
import { readRows } from './read-rows.ts';

/** One row a file, deleted when it is reverted. Old versions kept the extension, by which one file may stand there twice. */
export async function readMikroOrm(session: Session, table: LedgerTable): Promise<LedgerHistory> {
  const rows = await readRows<{ name: string }>(session, table, 'name', 'id');
  const names = new Set(rows.map(({ name }) => name.replace(/\.[cm]?[jt]s$/, '')));
  return { applied: [...names].map((name) => ({ kind: 'name', name })), problems: [], notes: [] };
}
