import { DatabaseError } from 'pg';
import { describeDifference, keyOf, type SchemaDifference } from '../../drift/difference.ts';
import type { SchemaDescription, SchemaObject } from '../../drift/description.ts';
import { MigrationError } from '../../errors.ts';
import type { AlignStep, Blocker } from './align-step.ts';
import type { Alignment, AlignmentRequest } from './alignment.ts';
import { isSmall, readTable, type TableFacts } from './table-facts.ts';

/** The order in which steps run, whatever the order in which they are thought of. */
const PHASES = [
  'clear',
  'types',
  'functions',
  'tables',
  'columns',
  'uniques',
  'indexes',
  'constraints',
  'programs',
  'removals',
  'notes',
] as const;

export type AlignPhase = (typeof PHASES)[number];

/** An alignment that is being planned: differences are taken one by one, and those that nobody takes become blockers. */
export class Draft {
  readonly request: AlignmentRequest;
  readonly live: ReadonlyMap<string, SchemaObject>;
  readonly target: ReadonlyMap<string, SchemaObject>;
  readonly #tables = new Map<string, TableFacts | undefined>();
  readonly #open: Map<string, SchemaDifference>;
  readonly #steps: { readonly phase: AlignPhase; readonly step: AlignStep }[] = [];
  readonly #blockers: Blocker[] = [];
  readonly #used = new Set<string>();

  constructor(request: AlignmentRequest) {
    this.request = request;
    this.live = byKey(request.live);
    this.target = byKey(request.target);
    this.#open = new Map(request.differences.map((difference) => [keyOf(difference), difference]));
  }

  /** Differences of a kind that nothing settles yet. */
  open(kind: string): SchemaDifference[] {
    return [...this.#open.values()].filter((difference) => difference.kind === kind);
  }

  /** Everything of that kind that the database has. */
  liveOf(kind: string): SchemaObject[] {
    return this.request.live.filter((object) => object.kind === kind);
  }

  /** What a step settles. */
  settle(
    difference: Pick<SchemaDifference, 'kind' | 'name'>,
    phase: AlignPhase,
    ...steps: AlignStep[]
  ): void {
    this.#open.delete(keyOf(difference));
    for (const step of steps) this.add(phase, step);
  }

  add(phase: AlignPhase, step: AlignStep): void {
    this.#steps.push({ phase, step: { ...step, run: (context) => told(step, () => step.run(context)) } });
  }

  /** A difference that a person has to settle. */
  block(difference: SchemaDifference, reason: string): void {
    this.#open.delete(keyOf(difference));
    const text = `${describeDifference(difference)}\n${reason}`;
    this.#blockers.push({ kind: 'shape', object: difference.name, text });
  }

  /** Notes that a live object is renamed or replaced; it serves one purpose only. */
  use(object: Pick<SchemaObject, 'kind' | 'name'>): void {
    this.#used.add(keyOf(object));
  }

  isUsed(object: Pick<SchemaObject, 'kind' | 'name'>): boolean {
    return this.#used.has(keyOf(object));
  }

  /** Facts of a table that is there, read once. */
  async table(name: string): Promise<TableFacts | undefined> {
    if (!this.#tables.has(name))
      this.#tables.set(
        name,
        this.live.has(keyOf({ kind: 'table', name }))
          ? await readTable(this.request.session, name)
          : undefined,
      );
    return this.#tables.get(name);
  }

  isSmall(facts: TableFacts): boolean {
    return isSmall(facts, this.request.small);
  }

  finish(): Alignment {
    // A table that cannot be made is told once, not with each of its parts.
    const tables = this.open('table').filter(({ actual }) => actual === undefined);
    for (const difference of this.#open.values())
      if (tables.some(({ name }) => difference.name.startsWith(`${name}.`)))
        this.#open.delete(keyOf(difference));
    for (const difference of this.#open.values())
      this.block(
        difference,
        'Nothing here can make the one of the other. Change it by hand, and plan again.',
      );
    const steps = PHASES.flatMap((phase) =>
      this.#steps.filter((each) => each.phase === phase).map(({ step }) => step),
    );
    return { steps, blockers: this.#blockers, used: [...this.#used] };
  }
}

const byKey = (schema: SchemaDescription): Map<string, SchemaObject> =>
  new Map(schema.map((object) => [keyOf(object), object]));

const SENTENCES: Readonly<Record<string, string>> = {
  '23505': 'Rows stand against it that are equal in its columns',
  '23503': 'Rows stand against it that refer to nothing',
  '23502': 'Rows stand against it that have no value',
  '23514': 'Rows stand against it',
  '22003': 'A value does not fit',
  '22001': 'A value is too long',
};

/** The server's message may hold values of rows. */
async function told(step: AlignStep, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof DatabaseError) || /^(08|57P0)/.test(error.code ?? '')) throw error;
    const { code = '', message } = error;
    const words = /^(42|0A|25|2B|2D|3F|55)/.test(code) ? message.split('\n')[0] : 'The server refused it';
    throw new MigrationError(
      'MIGRATION.FAILED',
      `${step.text} failed: ${SENTENCES[code] ?? words} [${code}]. Settle that, and run again: what is done is found.`,
      undefined,
      { step: step.id, sqlState: code },
    );
  }
}
