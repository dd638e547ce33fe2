import type { AlignStep } from './align-step.ts';
import { briefly } from './brief.ts';
import type { Draft } from './draft.ts';
import { lastOf, ownerOf } from './names.ts';

const FORM =
  /^(?<type>\w+) start (?<start>-?\d+) increment (?<step>-?\d+) from (?<least>-?\d+) to (?<most>-?\d+) cache (?<cache>\d+)(?<cycle> cycle)?(?: owned by (?<owner>.+))?$/;

/** A sequence as the catalogue describes it. */
export interface SequenceText {
  /** The statement that makes it, without its owner. */
  readonly sql: string;
  /** The column that it belongs to. */
  readonly owner: string | undefined;
}

export function sequenceText(name: string, definition: string): SequenceText | undefined {
  const parts = FORM.exec(definition)?.groups;
  if (!parts) return undefined;
  const { type, start, step, least, most, cache, cycle, owner } = parts;
  return {
    sql: `CREATE SEQUENCE ${name} AS ${type} INCREMENT ${step} MINVALUE ${least} MAXVALUE ${most} START ${start} CACHE ${cache}${cycle === undefined ? '' : ' CYCLE'}`,
    owner,
  };
}

/** Sequences that are missing, and belong to a column that is there or to none. */
export async function planSequences(draft: Draft): Promise<void> {
  for (const { kind, name, expected, actual } of draft.open('sequence')) {
    if (expected === undefined || actual !== undefined) continue;
    const text = sequenceText(name, expected);
    if (!text) continue;
    const { owner } = text;
    const column = owner === undefined ? undefined : draft.live.get(`column ${owner}`);
    const isIdentity = (draft.target.get(`column ${owner}`)?.definition ?? '').endsWith(' as identity');
    const facts = owner === undefined ? undefined : await draft.table(ownerOf(owner));
    if (owner !== undefined && (!column || isIdentity || facts?.isDivided)) continue;
    draft.settle({ kind, name }, 'tables', create(name, text));
  }
}

/** It goes on behind the highest number that is there, and no program inserts another one meanwhile. */
function create(name: string, { sql, owner }: SequenceText): AlignStep {
  const table = owner === undefined ? undefined : ownerOf(owner);
  const behind =
    owner === undefined || table === undefined
      ? []
      : [
          `ALTER SEQUENCE ${name} OWNED BY ${owner}`,
          `SELECT setval('${name.replaceAll("'", "''")}', max(${lastOf(owner)})) FROM ${table} HAVING max(${lastOf(owner)}) > 0`,
          `ALTER TABLE ${table} ALTER COLUMN ${lastOf(owner)} SET DEFAULT nextval('${name.replaceAll("'", "''")}'::regclass)`,
        ];
  return {
    id: `sequence ${name}: create`,
    table: table ?? name,
    text: `Create the sequence ${name}${owner === undefined ? '' : ` for ${owner}`}`,
    lock: table === undefined ? 'none' : 'ACCESS EXCLUSIVE',
    run: (context) =>
      briefly(context, {
        tables: table === undefined ? [] : [table],
        lock: table === undefined ? 'none' : 'ACCESS EXCLUSIVE',
        statements: [sql, ...behind],
      }),
  };
}
