import { DatabaseError } from 'pg';
import { MigrationError } from '../../errors.ts';
import { inTransaction } from '../../lock.ts';
import type { Session } from '../../session.ts';
import type { AlignStep, StepContext } from '../align/align-step.ts';
import { findLedger } from './find-ledgers.ts';
import { type ForeignLedger, TOOL_NAMES } from './foreign-ledger.ts';

const OURS = 'public.schema_migrations';
const KEY = 'schema_migrations_pkey';

/**
 * The step that renames a ledger of another tool, where it has the name of ours, as golang-migrate's has; undefined where it
 * has not. Nothing of ours can be recorded before. It is done or not done: afterwards the ledger is found under its new name.
 */
export function moveAside(ledger: ForeignLedger): AlignStep | undefined {
  if (ledger.table !== OURS) return undefined;
  const tool = TOOL_NAMES[ledger.tool];
  const aside = nameAside(ledger);
  return {
    id: `table ${OURS}: move the ledger of ${ledger.tool} aside`,
    table: OURS,
    text: `Rename the ledger of ${tool}, ${OURS}, to ${aside}, its rows untouched, because our ledger has that name. ${tool} must not run on this database from then on; to go back to it, give our ledger another name, and ${aside} the name schema_migrations.`,
    lock: 'ACCESS EXCLUSIVE',
    run: (context) => rename(context, ledger),
  };
}

/** `schema_migrations_golang_migrate`: no name that the comparison of schemas leaves out as one of ours. */
const nameAside = ({ tool }: ForeignLedger): string => `schema_migrations_${tool.replaceAll('-', '_')}`;

async function rename({ session, held }: StepContext, ledger: ForeignLedger): Promise<void> {
  const aside = nameAside(ledger);
  let granted = 0;
  const work = async (): Promise<void> => {
    await session.run(`lock table ${OURS} in access exclusive mode`);
    granted = performance.now();
    await refuseChange(session, ledger);
    await session.run(`alter table ${OURS} rename to ${aside}`);
    await renameKey(session, aside);
  };
  await inTransaction(session, work).catch((error: unknown) => {
    throw explained(error, aside);
  });
  held({ table: OURS, lock: 'ACCESS EXCLUSIVE', ms: performance.now() - granted });
}

/** The other tool knows nothing of our lock, and may have run since the plan was made. */
async function refuseChange(session: Session, planned: ForeignLedger): Promise<void> {
  const now = await findLedger(session, OURS);
  if (JSON.stringify(now) === JSON.stringify(planned)) return;
  throw refused(
    `${TOOL_NAMES[planned.tool]} has changed its ledger ${OURS} since this was planned. Stop it, and run again.`,
  );
}

/** The key gives its name free for that of our ledger, which is named as in any other database then. */
async function renameKey(session: Session, aside: string): Promise<void> {
  const sql = 'select from pg_catalog.pg_constraint where conrelid = $1::regclass and conname = $2';
  const keys = await session.query(sql, [`public.${aside}`, KEY]);
  if (keys.length > 0)
    await session.run(`alter table public.${aside} rename constraint ${KEY} to ${aside}_pkey`);
}

/** A lock that did not come, and a lost connection, have answers of their own. */
function explained(error: unknown, aside: string): unknown {
  const code = error instanceof DatabaseError ? error.code : undefined;
  if (code === '42P07') return refused(TAKEN(aside));
  return code === '42501' ? refused(FOREIGN) : error;
}

const TAKEN = (aside: string): string =>
  `There is a relation public.${aside} already, so ${OURS} cannot get that name. Rename or drop the one that is out of date, and run again.`;
const FOREIGN = `This role may not rename ${OURS}. Run as the owner of that table.`;

const refused = (sentence: string): MigrationError => new MigrationError('MIGRATION.ADOPTION', sentence);
