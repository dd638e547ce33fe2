import type { SchemaDescription } from '../drift/description.ts';
import type { SchemaDifference } from '../drift/difference.ts';
import type { MigrationFile } from '../files.ts';
import type { LedgerRow } from '../ledger.ts';
import type { Session } from '../session.ts';
import type { Adoption, DataFile, OnlineFile } from './adoption.ts';
import type { AlignStep, Blocker } from './align/align-step.ts';
import { planAlignment, planClearing } from './align/alignment.ts';
import { isSmall, readTable } from './align/table-facts.ts';
import { changesType, judge, type Judged, type Standing } from './judge.ts';
import type { OpenRule } from './rules.ts';
import { Simulated, tableOf } from './simulated.ts';
import type { Timeline } from './timeline.ts';

/** One step of an adoption, in the order in which they run. */
export type PlannedStep =
  | { readonly kind: 'rows'; readonly rule: OpenRule }
  | { readonly kind: 'schema'; readonly file: MigrationFile; readonly step: AlignStep }
  /** From its first statement, or behind those of which the catalogue shows that they are done. */
  | { readonly kind: 'run'; readonly file: MigrationFile; readonly behind: number }
  /** What the file does, by a way that leaves a large table to its programs. */
  | { readonly kind: 'online'; readonly file: MigrationFile; readonly online: OnlineFile }
  | { readonly kind: 'record'; readonly file: MigrationFile };

/** What is planned from. */
export interface PlanRequest {
  readonly session: Session;
  readonly timeline: Timeline;
  readonly rows: readonly LedgerRow[];
  readonly live: SchemaDescription;
  readonly adoptions: readonly Adoption[];
  /** Whether files that take away what the original needs are run too. */
  readonly contract: boolean;
  /** Whether everything that is recorded was run here: the database was empty when the adoption began. */
  readonly isOwn: boolean;
}

/** How the files come to be applied. */
export interface FilePlan {
  readonly steps: readonly PlannedStep[];
  readonly blockers: readonly Blocker[];
  /** Contract steps that are left for when the original is gone. */
  readonly waiting: readonly MigrationFile[];
  /** Where the database stands to each file that is not recorded. */
  readonly standings: ReadonlyMap<string, Standing>;
  /** What the database will consist of. */
  readonly after: Simulated;
}

/** Goes through the files in their order, and decides for each by what the database will be then. */
export async function planFiles(request: PlanRequest): Promise<FilePlan> {
  const planner = new Planner(request);
  const recorded = new Set(request.rows.map(({ filename }) => filename));
  for (const [index, { file }] of request.timeline.effects.entries())
    if (!recorded.has(file.name)) await planner.take(file, index);
  planner.clear();
  return planner;
}

class Planner implements FilePlan {
  readonly steps: PlannedStep[] = [];
  readonly blockers: Blocker[] = [];
  readonly waiting: MigrationFile[] = [];
  readonly standings = new Map<string, Standing>();
  readonly after: Simulated;
  readonly #request: PlanRequest;
  /** Tables that are there by now; one that the plan makes has no rows yet, and nobody to wait for. */
  readonly #tables: ReadonlySet<string>;
  /** Modules of which a file was found to be there. */
  readonly #found = new Set<string>();

  constructor(request: PlanRequest) {
    this.#request = request;
    this.after = new Simulated(request.live);
    this.#tables = new Set(request.live.flatMap(({ kind, name }) => (kind === 'table' ? name : [])));
  }

  /** What was begun and waits now must leave nothing, whether anything else is to be aligned or not. */
  clear(): void {
    const { session, timeline } = this.#request;
    const [first] = timeline.effects;
    const { steps, used } = planClearing({
      session,
      live: this.after.description,
      target: timeline.target,
      columnsOf: (table) => timeline.columnsOf(table),
    });
    if (first)
      this.steps.unshift(...steps.map((step) => ({ kind: 'schema' as const, file: first.file, step })));
    this.after.remove(used);
  }

  async take(file: MigrationFile, index: number): Promise<void> {
    const accepted = this.#request.adoptions.flatMap((adoption) => adoption.accepted);
    const judged = judge(this.#request.timeline, index, this.after, accepted);
    const data = this.#request.adoptions
      .flatMap((adoption) => adoption.data)
      .find((each) => each.file === file.name);
    this.standings.set(file.name, judged.standing);
    if (this.#waits(file, judged)) {
      this.waiting.push(file);
      return;
    }
    switch (judged.standing) {
      case 'unseen':
        return this.#unseen(file, data);
      case 'ahead':
        return this.#there(file, data);
      case 'behind':
        if (changesType(judged, this.#tables) || this.#lacksSource(data))
          return this.#align(file, judged, data);
        return this.#absent(file, judged);
      default:
        return this.#align(file, judged, data);
    }
  }

  /** A contract step takes away what a program may need that was here before: what this run makes itself, nobody needs. */
  #waits(file: MigrationFile, { standing, open }: Judged): boolean {
    if (file.phase?.name !== 'contract' || this.#request.contract || this.#request.isOwn) return false;
    // Whatever it does, the files of the module alone do not show it.
    if (standing === 'unseen') return this.#tables.size > 0;
    return standing === 'behind' && open.some(({ name }) => this.#tables.has(tableOf(name)));
  }

  /** Only the module can say what becomes of a file that leaves no trace; where none of its files is there, it is run. */
  #unseen(file: MigrationFile, data: DataFile | undefined): void {
    if (data?.how === 'run' || !this.#found.has(file.module))
      this.steps.push({ kind: 'run', file, behind: 0 });
    else
      this.blockers.push({
        kind: 'shape',
        object: file.name,
        text: `The catalogue does not show whether what ${file.name} does was done here. Say in the adoption of module ${file.module} what becomes of it, or record it with "tombstone migrate baseline".`,
      });
  }

  #there(file: MigrationFile, data: DataFile | undefined): void {
    this.#found.add(file.module);
    if (data?.how === 'resume' && data.column !== undefined && !this.#lacksSource(data))
      this.steps.push({ kind: 'run', file, behind: data.statements ?? 0 });
    else if (data?.how === 'run') this.steps.push({ kind: 'run', file, behind: 0 });
    else this.steps.push({ kind: 'record', file });
  }

  /** The rows would come from a column that is gone: the file cannot run, and an empty table is all that is left to make. */
  #lacksSource(data: DataFile | undefined): boolean {
    if (data?.column === undefined) return false;
    const isTableThere = this.after.has({ kind: 'table', name: tableOf(data.column) });
    return isTableThere && !this.after.has({ kind: 'column', name: data.column });
  }

  async #absent(file: MigrationFile, { open }: Judged): Promise<void> {
    const online = await this.#onlineFor(file);
    if (online) this.steps.push({ kind: 'online', file, online }, { kind: 'record', file });
    else this.steps.push({ kind: 'run', file, behind: 0 });
    this.after.settle(open);
  }

  async #onlineFor({ name }: MigrationFile): Promise<OnlineFile | undefined> {
    const { adoptions, session } = this.#request;
    const online = adoptions.flatMap(({ online: ways = [] }) => ways).find(({ file }) => file === name);
    const facts = online && (await readTable(session, online.table));
    return facts && !isSmall(facts) ? online : undefined;
  }

  async #align(file: MigrationFile, { open }: Judged, data: DataFile | undefined): Promise<void> {
    const other = open.find(isOfAnotherKind);
    if (other) {
      // Of each index and key on it the same could be said.
      this.blockers.push({ kind: 'shape', object: other.name, text: anotherKind(other) });
      return;
    }
    const { session, timeline } = this.#request;
    const { steps, blockers, used } = await planAlignment({
      session,
      differences: open,
      live: this.after.description,
      target: timeline.target,
      columnsOf: (table) => timeline.columnsOf(table),
    });
    this.steps.push(...steps.map((step) => ({ kind: 'schema' as const, file, step })));
    this.blockers.push(...blockers);
    this.after.remove(used);
    this.after.settle(open);
    this.#there(file, data);
  }
}

/** A table that is there and is another one than the files make: partitioned, inherited, foreign, or with another primary key. */
const isOfAnotherKind = ({ kind, expected, actual }: SchemaDifference): boolean =>
  expected !== undefined &&
  actual !== undefined &&
  (kind === 'table' || (kind === 'constraint' && expected.startsWith('PRIMARY KEY')));

function anotherKind({ kind, name, expected, actual }: SchemaDifference): string {
  const both = `is "${actual}", and the files make "${expected}"`;
  return kind === 'table'
    ? `${name} ${both}. A partitioned table has no unique over columns without its partition key, and nothing can refer to its rows. Move its rows into a table as the files make it, and run again; docs/existing-database.md says how.`
    : `The primary key ${name} ${both}: this is another table of the same name. Rename it, or move it into another schema, and run again.`;
}
