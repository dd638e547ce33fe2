import { describeSchema, type SchemaDescription } from '../drift/description.ts';
import { differenceOf, type SchemaDifference } from '../drift/difference.ts';
import { withoutRunTimePartitions } from '../drift/run-time-partitions.ts';
import type { MigrationFile, MigrationSource } from '../files.ts';
import { type LedgerRow, readLedger } from '../ledger.ts';
import type { Session } from '../session.ts';
import type { Adoption } from './adoption.ts';
import type { Blocker } from './align/align-step.ts';
import { findBlockers } from './align/blockers.ts';
import { findLedger } from './ledgers/find-ledgers.ts';
import { type ForeignLedger, refuseProblems } from './ledgers/foreign-ledger.ts';
import { hindrancesOf } from './hindrances.ts';
import { planForeign } from './plan-foreign.ts';
import { type FilePlan, type PlannedStep, planFiles } from './plan.ts';
import { obstaclesOf, warningsOf } from './questions.ts';
import { begunAs } from './records.ts';
import { openRules } from './rules.ts';
import { Simulated } from './simulated.ts';
import { type AdoptionState, type Finding, findState, list } from './state.ts';
import type { Timeline } from './timeline.ts';

/** What a database is, and what an adoption would do to it. */
export interface Inspection {
  readonly state: AdoptionState;
  /** Sentences that say by what it was told. */
  readonly signs: readonly string[];
  /** What stands against it; nothing is changed while there is any. */
  readonly blockers: readonly Blocker[];
  readonly steps: readonly PlannedStep[];
  /** Contract steps that are left for when the original is gone. */
  readonly waiting: readonly MigrationFile[];
  /** What the files do not know and the database keeps. */
  readonly kept: readonly SchemaDifference[];
  /** Sentences that stop nothing. */
  readonly warnings: readonly string[];
  /** Whether the database has the whole schema at the end; another tool's may have a part of it. */
  readonly isWhole: boolean;
}

/** What is inspected, and for what. */
export interface InspectRequest {
  readonly session: Session;
  readonly timeline: Timeline;
  readonly modules: readonly MigrationSource[];
  readonly contract: boolean;
  readonly acceptNewer: boolean;
  /** The table of another tool that is meant, where there are several. */
  readonly ledger: string | undefined;
  /** Whose numbers it holds. */
  readonly module: string | undefined;
}

/** Reads only. Call it in a session that holds no transaction. */
export async function inspect(request: InspectRequest): Promise<Inspection> {
  const { session, timeline, modules } = request;
  const adoptions = adoptionsOf(modules);
  const ledger = await findLedger(session, request.ledger);
  // Another tool's table may have the name of ours, and other columns.
  const rows = ledger?.table === LEDGER ? [] : await readLedger(session);
  const description = await describeSchema(session);
  const live = new Simulated(description);
  const begun = await begunAs(session);
  const found = findState({
    rows,
    adoption: adoptions[0],
    live,
    tables: timeline.target.flatMap(({ kind, name }) => (kind === 'table' ? name : [])),
    modules: modules.map(({ name }) => name),
    isBegun: begun !== undefined,
  });
  if (ledger && isToldBy(ledger, found)) return inspectForeign(request, ledger, description, rows, found);
  if (found.state === 'ours') return { ...found, ...NOTHING };
  const stop = stopOf(found, request.acceptNewer);
  if (stop !== undefined) return { ...found, ...NOTHING, blockers: [stop] };
  const files = await planFiles({
    session,
    timeline,
    rows,
    live: description,
    adoptions,
    contract: request.contract,
    isOwn: begun === 'empty',
  });
  const rules = await openRules(
    session,
    adoptions.flatMap((adoption) => adoption.rules),
    live,
    files.after,
  );
  const rowSteps = (when: 'before' | 'after'): PlannedStep[] =>
    rules.filter(({ rule }) => rule.when === when).map((rule) => ({ kind: 'rows', rule }));
  return {
    ...proved(found, adoptions, files),
    blockers: [
      ...files.blockers,
      ...(await hindrancesOf(session, timeline.target, description)),
      ...(await blockersOf(request, description, adoptions)),
      ...(await obstaclesOf(session, adoptions, live, rows)),
    ],
    steps: [...rowSteps('before'), ...files.steps, ...rowSteps('after')],
    waiting: files.waiting,
    kept: keptIn(files.after.description, expectedBeside(timeline, files.waiting)),
    warnings: await warningsOf(session, adoptions, live, rows),
    isWhole: true,
  };
}

const LEDGER = 'public.schema_migrations';

/** A history of ours, or of the original, says more than that of a tool that was there before. */
const isToldBy = ({ table }: ForeignLedger, { state }: Finding): boolean =>
  table === LEDGER || ['empty', 'legacy', 'begun'].includes(state);

function inspectForeign(
  { timeline, module }: InspectRequest,
  ledger: ForeignLedger,
  live: SchemaDescription,
  rows: readonly LedgerRow[],
  { state }: Finding,
): Inspection {
  refuseProblems(ledger);
  const { steps, blockers, signs, warnings } = planForeign({ ledger, module, timeline, live, rows });
  return {
    state: state === 'begun' ? 'begun' : 'foreign',
    signs,
    blockers,
    steps,
    waiting: [],
    kept: [],
    warnings,
    isWhole: false,
  };
}

const NOTHING = { blockers: [], steps: [], waiting: [], kept: [], warnings: [], isWhole: false };

/** What nobody here knows is left alone. */
function stopOf({ state, signs }: Finding, acceptNewer: boolean): Blocker | undefined {
  const remedy = {
    changed:
      'Find out who has changed it: what it did is not known here, and this version of the package does not accept it.',
    newer: acceptNewer
      ? undefined
      : 'A newer program has worked here. Look at what its files do, and say --accept-newer.',
  }[state as string];
  if (remedy === undefined) return undefined;
  return { kind: 'ledger', object: 'public.schema_migrations', text: `${signs.join(' ')} ${remedy}` };
}

/** What the modules know of databases that others have made. */
export const adoptionsOf = (modules: readonly MigrationSource[]): Adoption[] =>
  modules.flatMap(({ adoption }) => adoption ?? []);

/** A ledger may list what the schema does not have: a database is complete only when its catalogue says so too. */
function proved(found: Finding, adoptions: readonly Adoption[], { standings }: FilePlan): Finding {
  const open = adoptions
    .flatMap(({ complete }) => complete)
    .filter((file) => standings.has(file) && standings.get(file) !== 'ahead');
  if (found.state !== 'complete') return found;
  if (open.length === 0)
    return { ...found, signs: [...found.signs, 'Its catalogue is what these files make.'] };
  return {
    state: 'partial',
    signs: [...found.signs, `Its catalogue lacks, or has otherwise, a part of ${list(open)}.`],
  };
}

async function blockersOf(
  { session, timeline }: InspectRequest,
  live: SchemaDescription,
  adoptions: readonly Adoption[],
): Promise<Blocker[]> {
  const rules = adoptions.flatMap((adoption) => adoption.rules);
  const repaired = rules.flatMap(({ repairs = [] }) => repairs);
  return findBlockers(session, { target: timeline.target, live, repaired });
}

/** What a contract step will take away is expected as long as the step waits. */
export function expectedBeside(
  { target, effects }: Timeline,
  waiting: readonly MigrationFile[],
): SchemaDescription {
  const expected = new Simulated(target);
  for (const { file, changes } of effects) if (waiting.includes(file)) expected.settle(changes);
  return expected.description;
}

function keptIn(after: SchemaDescription, target: SchemaDescription): SchemaDifference[] {
  return withoutRunTimePartitions(differenceOf(target, after)).filter(({ actual }) => actual !== undefined);
}
