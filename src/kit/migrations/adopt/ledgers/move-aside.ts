import { DatabaseError, escapeIdentifier } from 'pg';
import { MigrationError } from '../../errors.ts';
import { inTransaction } from '../../lock.ts';
import type { Session } from '../../session.ts';
import type { AlignStep, StepContext } from '../align/align-step.ts';
import type { ForeignLedger } from './foreign-ledger.ts';

const OURS = 'public.schema_migrations';
const ASIDE = 'schema_migrations_golang_migrate';

/**
 * The step that renames a ledger of golang-migrate, where it has the name of ours; undefined for any other. Nothing of ours
 * can be recorded before it has run, and the rename is all or nothing: afterwards the ledger is found under its new name.
 */
export function moveAside(ledger: ForeignLedger): AlignStep | undefined {
  if (ledger.tool !== 'golang-migrate' || ledger.table !== OURS) return undefined;
  return {
    id: `table ${OURS}: move golang-migrate's ledger aside`,
    table: OURS,
    text: `Rename golang-migrate's ledger ${OURS} to ${ASIDE}, its row untouched, because our ledger has that name. golang-migrate must not run on this database from then on; to go back to it, rename our ledger to another name, and ${ASIDE} to schema_migrations.`,
    lock: 'ACCESS EXCLUSIVE',
    run: (context) => rename(context, ledger),
  };
}

async function rename({ session, held }: StepContext, ledger: ForeignLedger): Promise<void> {
  let granted = 0;
  await inTransaction(session, async () => {
    await session.run(`lock table ${OURS} in access exclusive mode`);
    granted = performance.now();
    await refuseChange(session, ledger);
    await session.run(`alter table ${OURS} rename to ${ASIDE}`).catch(explain);
    await renameKey(session);
  });
  held({ table: OURS, lock: 'ACCESS EXCLUSIVE', ms: performance.now() - granted });
}

/** golang-migrate knows nothing of our lock, and may have run since the plan was made. */
async function refuseChange(session: Session, { applied }: ForeignLedger): Promise<void> {
  const rows = await session.query<{ version: string; dirty: boolean }>(
    `select version::text, dirty from ${OURS}`,
  );
  const planned = applied.map((entry) => (entry.kind === 'up-to' ? entry.version : ''));
  if (rows.every(({ dirty }) => !dirty) && rows.map(({ version }) => version).join() === planned.join())
    return;
  throw new MigrationError(
    'MIGRATION.ADOPTION',
    `golang-migrate has changed its ledger ${OURS} since this was planned. Stop it, and run again.`,
  );
}

/** The key gives its name free for that of our ledger, so that this is named as in any other database. */
async function renameKey(session: Session): Promise<void> {
  const [key] = await session.query<{ name: string }>(
    `select conname as name from pg_catalog.pg_constraint where conrelid = 'public.${ASIDE}'::regclass and contype = 'p' and conname = 'schema_migrations_pkey'`,
  );
  if (key)
    await session.run(
      `alter table public.${ASIDE} rename constraint ${escapeIdentifier(key.name)} to ${ASIDE}_pkey`,
    );
}

function explain(error: unknown): never {
  if (!(error instanceof DatabaseError) || error.code !== '42P07') throw error;
  throw new MigrationError(
    'MIGRATION.ADOPTION',
    `There is a table public.${ASIDE} already, so golang-migrate's ledger ${OURS} cannot get that name. Rename or drop the one that is not true, and run again.`,
  );
}
