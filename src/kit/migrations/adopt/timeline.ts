import { describeSchema, type SchemaDescription } from '../drift/description.ts';
import { differenceOf, keyOf, type SchemaDifference } from '../drift/difference.ts';
import type { MigrationFile } from '../files.ts';
import { type Replay, withReplay } from '../rebuild/replay.ts';
import type { Connection } from '../rebuild/connection.ts';
import { withScratch } from '../rebuild/scratch.ts';
import type { Variables } from '../substitute.ts';

/** What one file makes of the schema that the files before it have left. */
export interface FileEffect {
  readonly file: MigrationFile;
  /** Of each object that it touches: `expected` before it, `actual` behind it. */
  readonly changes: readonly SchemaDifference[];
}

/** How the schema comes about, file by file. */
export interface Timeline {
  readonly effects: readonly FileEffect[];
  /** Behind the last file. */
  readonly target: SchemaDescription;
  /** Columns of a table in the order in which the files give them. */
  columnsOf(table: string): readonly string[];
}

/** Where files are replayed. */
export interface TimelineOptions {
  readonly connection: Connection;
  readonly scratch?: Connection | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly variables?: Variables | undefined;
}

const COLUMNS = `select format('%I.%I', n.nspname, c.relname) as "table", quote_ident(a.attname) as "column"
  from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
  where a.attnum > 0 and not a.attisdropped and c.relkind in ('r', 'p') and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
  order by c.oid, a.attnum`;

/**
 * Replays the files in a scratch database, and describes the schema behind each.
 *
 * @throws MigrationError `MIGRATION.SCRATCH`, or the failure of a file in the scratch database.
 */
export async function readTimeline(
  files: readonly MigrationFile[],
  options: TimelineOptions,
): Promise<Timeline> {
  return withScratch(options, (scratch) =>
    withReplay(scratch, options, async (replay) => {
      const order = new Map<string, string[]>();
      const effects: FileEffect[] = [];
      let before = await describeSchema(replay.session);
      for (const file of files) {
        await replay.run(file);
        const after = await describeSchema(replay.session);
        effects.push({ file, changes: differenceOf(before, after, 'with parts') });
        await noteColumns(replay, order);
        before = after;
      }
      return { effects, target: before, columnsOf: (table) => order.get(table) ?? [] };
    }),
  );
}

/** A column that is dropped later keeps its place: a database may be at the stage where it is there. */
async function noteColumns(replay: Replay, order: Map<string, string[]>): Promise<void> {
  for (const { table, column } of await replay.session.query<{ table: string; column: string }>(COLUMNS)) {
    const columns = order.get(table) ?? [];
    if (!columns.includes(column)) columns.push(column);
    order.set(table, columns);
  }
}

/** The definitions that an object has behind a file and behind the files after it, undefined for none. */
export function definitionsFrom(
  { effects }: Timeline,
  index: number,
  key: string,
): readonly (string | undefined)[] {
  return effects
    .slice(index)
    .flatMap(({ changes }) => changes)
    .filter((change) => keyOf(change) === key)
    .map(({ actual }) => actual);
}
