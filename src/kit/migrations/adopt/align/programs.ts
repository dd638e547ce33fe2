import type { SchemaDifference } from '../../drift/difference.ts';
import type { AlignStep } from './align-step.ts';
import { briefly } from './brief.ts';
import type { AlignPhase, Draft } from './draft.ts';
import { lastOf, ownerOf } from './names.ts';

/** What a kind of object takes that is missing as a whole. */
interface Maker {
  readonly phase: AlignPhase;
  /** Undefined where this cannot make it. */
  statements(difference: SchemaDifference): readonly string[] | undefined;
  /** The table that is locked. */
  tableOf?(difference: SchemaDifference): string | undefined;
}

const STATE = / (disabled|on replicas|always)$/;
const STATES: Readonly<Record<string, string>> = {
  disabled: 'DISABLE',
  'on replicas': 'ENABLE REPLICA',
  always: 'ENABLE ALWAYS',
};

const MAKERS: Readonly<Record<string, Maker>> = {
  schema: { phase: 'types', statements: ({ name }) => [`CREATE SCHEMA ${name}`] },
  enum: {
    phase: 'types',
    statements: ({ name, expected }) => [`CREATE TYPE ${name} AS ENUM (${expected ?? ''})`],
  },
  function: {
    phase: 'functions',
    // Their bodies may name tables that come later.
    statements: ({ expected = '' }) => ['SET LOCAL check_function_bodies TO off', expected],
  },
  trigger: {
    phase: 'programs',
    statements: ({ name, expected = '' }) => {
      const state = STATES[STATE.exec(expected)?.[1] ?? ''];
      const made = expected.replace(STATE, '');
      return state === undefined
        ? [expected]
        : [made, `ALTER TABLE ${ownerOf(name)} ${state} TRIGGER ${lastOf(name)}`];
    },
    tableOf: ({ name }) => ownerOf(name),
  },
  view: {
    phase: 'programs',
    statements: ({ name, expected = '' }) => {
      const [, kind, options = '', text] =
        /^(view|materialized view) (with \([^()]*\) )?as (.*)$/s.exec(expected) ?? [];
      return text === undefined ? undefined : [`CREATE ${kind?.toUpperCase()} ${name} ${options}AS ${text}`];
    },
  },
  statistics: { phase: 'programs', statements: ({ expected = '' }) => [expected] },
  comment: { phase: 'notes', statements: commentSql },
  privilege: {
    phase: 'notes',
    // A new function may be called by everybody; one that nobody may call has to say so.
    statements: ({ name, expected }) =>
      expected === 'nobody' && name.endsWith(')')
        ? [`REVOKE ALL ON FUNCTION ${name} FROM PUBLIC`]
        : undefined,
  },
};

/** As the server's `pg_identify_object` calls them, and as COMMENT does. */
const COMMENTED: Readonly<Record<string, string>> = {
  table: 'TABLE',
  'table column': 'COLUMN',
  index: 'INDEX',
  sequence: 'SEQUENCE',
  view: 'VIEW',
  schema: 'SCHEMA',
  function: 'FUNCTION',
  'table constraint': 'CONSTRAINT',
  trigger: 'TRIGGER',
};

function commentSql({ name, expected }: SchemaDifference): string[] | undefined {
  const kind = Object.keys(COMMENTED)
    .toSorted((a, b) => b.length - a.length)
    .find((each) => name.startsWith(`${each} `));
  if (kind === undefined) return undefined;
  return [`COMMENT ON ${COMMENTED[kind]} ${name.slice(kind.length + 1)} IS ${expected ?? 'NULL'}`];
}

/** Whole objects beside tables and what is in them. What is there and differs may be meant: a person decides. */
export function planPrograms(draft: Draft): void {
  for (const [kind, maker] of Object.entries(MAKERS)) {
    const missing = draft
      .open(kind)
      .filter(
        ({ expected, actual }) => kind === 'comment' || (expected !== undefined && actual === undefined),
      );
    for (const difference of kind === 'view' ? inOrder(missing) : missing) {
      const statements = maker.statements(difference);
      if (statements) draft.settle(difference, maker.phase, make(difference, maker, statements));
    }
  }
}

/** A view behind those that it names. */
function inOrder(views: readonly SchemaDifference[]): SchemaDifference[] {
  const placed: SchemaDifference[] = [];
  for (let left = [...views]; left.length > 0;) {
    const next =
      left.find((view) => !left.some((other) => other !== view && view.expected?.includes(other.name))) ??
      left[0];
    if (!next) break;
    placed.push(next);
    left = left.filter((view) => view !== next);
  }
  return placed;
}

function make(difference: SchemaDifference, { tableOf }: Maker, statements: readonly string[]): AlignStep {
  const { kind, name } = difference;
  const table = tableOf?.(difference);
  const lock = table === undefined ? 'none' : 'SHARE ROW EXCLUSIVE';
  return {
    id: `${kind} ${name}: create`,
    table: table ?? name,
    text:
      kind === 'comment' || kind === 'privilege'
        ? `Set the ${kind} of ${name}`
        : `Create the ${kind} ${name}`,
    lock,
    run: (context) => briefly(context, { tables: table === undefined ? [] : [table], lock, statements }),
  };
}
