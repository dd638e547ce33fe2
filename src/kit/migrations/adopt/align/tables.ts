import { keyOf, type SchemaDifference } from '../../drift/difference.ts';
import type { SchemaObject, SchemaObjectName } from '../../drift/description.ts';
import type { AlignStep } from './align-step.ts';
import { briefly } from './brief.ts';
import { columnDefinition, columnSql } from './column-definition.ts';
import type { Draft } from './draft.ts';
import { foreignKeyDefinition } from './foreign-key-definition.ts';
import { indexDefinition, keyDefinition } from './index-definition.ts';
import { lastOf, ownerOf } from './names.ts';
import { sequenceText } from './sequences.ts';

/** What belongs to a table that is to be made. */
interface NewTable {
  readonly difference: SchemaDifference;
  readonly columns: readonly SchemaObject[];
  readonly constraints: readonly SchemaObject[];
  readonly indexes: readonly SchemaObject[];
  readonly sequences: readonly SchemaObject[];
}

const FORM = /^(?<unlogged>unlogged )?table(?: with \((?<options>[^()]*)\))?$/;

/** Tables that are missing, each with what belongs to it. */
export function planTables(draft: Draft): void {
  const missing = draft
    .open('table')
    .filter(({ expected, actual }) => expected !== undefined && actual === undefined && FORM.test(expected))
    .map((difference) => gather(draft, difference));
  const made = new Set<string>();
  for (let left = missing; left.length > 0;) {
    // Those first that wait for none of the others; in a ring, the foreign keys that close it are added behind.
    const next = left.find((table) =>
      parentsOf(table).every(
        (parent) => !left.some((one) => one !== table && one.difference.name === parent),
      ),
    );
    const table = next ?? left[0];
    if (!table) break;
    left = left.filter((one) => one !== table);
    made.add(table.difference.name);
    plan(draft, table, made);
  }
}

/** The parts as the request asks for them, or else as the target has them. */
function gather(draft: Draft, difference: SchemaDifference): NewTable {
  const { name } = difference;
  const asked = draft.request.differences.flatMap(({ kind, name: part, expected }) =>
    expected === undefined ? [] : [{ kind, name: part, definition: expected }],
  );
  const isAsked = asked.some(({ kind, name: part }) => kind === 'column' && ownerOf(part) === name);
  const parts = isAsked ? asked : draft.request.target;
  const ofKind = (kind: string): SchemaObject[] => parts.filter((object) => object.kind === kind);
  const order = draft.request.columnsOf(name);
  const place = (column: SchemaObjectName): number => order.indexOf(lastOf(column.name));
  return {
    difference,
    columns: ofKind('column')
      .filter((column) => ownerOf(column.name) === name)
      .toSorted((a, b) => place(a) - place(b)),
    constraints: ofKind('constraint').filter((constraint) => ownerOf(constraint.name) === name),
    indexes: ofKind('index').filter(({ definition }) => indexDefinition(definition)?.table === name),
    sequences: ofKind('sequence').filter((sequence) => {
      const owner = sequenceText(sequence.name, sequence.definition)?.owner;
      return owner !== undefined && ownerOf(owner) === name;
    }),
  };
}

const parentOf = ({ definition }: SchemaObject): string | undefined =>
  foreignKeyDefinition(definition)?.parent;

const parentsOf = ({ constraints }: NewTable): string[] =>
  constraints.flatMap((constraint) => parentOf(constraint) ?? []);

function plan(draft: Draft, table: NewTable, made: ReadonlySet<string>): void {
  const { name } = table.difference;
  const isNow = (constraint: SchemaObject): boolean => {
    const parent = parentOf(constraint);
    return parent === undefined || made.has(parent) || hasKey(draft, constraint);
  };
  const constraints = table.constraints.filter(isNow);
  const locked = [...new Set(constraints.flatMap((constraint) => parentOf(constraint) ?? []))].filter(
    (parent) => !made.has(parent),
  );
  const statements = createSql(draft, { ...table, constraints });
  for (const part of [...table.columns, ...constraints, ...table.indexes, ...table.sequences])
    draft.settle(part, 'tables');
  draft.settle(table.difference, 'tables', create(name, table, locked, statements));
}

/** Whether the table that it refers to is there, and unique in those columns already. */
function hasKey(draft: Draft, { definition }: SchemaObject): boolean {
  const key = foreignKeyDefinition(definition);
  return draft.liveOf('constraint').some((object) => {
    const found = ownerOf(object.name) === key?.parent ? keyDefinition(object) : undefined;
    return found?.index.rest === `USING btree (${key?.referenced.join(', ')})`;
  });
}

function create(
  name: string,
  { constraints }: NewTable,
  locked: readonly string[],
  statements: readonly string[],
): AlignStep {
  const later = constraints.some((constraint) => {
    const parent = parentOf(constraint);
    return parent !== undefined && parent !== name && !locked.includes(parent);
  });
  return {
    id: `table ${name}: create`,
    table: name,
    text: `Create the table ${name} with its indexes and constraints`,
    lock: locked.length > 0 || later ? 'SHARE ROW EXCLUSIVE' : 'none',
    run: (context) =>
      briefly(context, {
        tables: locked,
        lock: locked.length > 0 ? 'SHARE ROW EXCLUSIVE' : 'none',
        statements,
      }),
  };
}

function createSql(
  draft: Draft,
  { difference, columns, constraints, indexes, sequences }: NewTable,
): string[] {
  const { name, expected = '' } = difference;
  const { unlogged = '', options } = FORM.exec(expected)?.groups ?? {};
  const identities = new Set(
    columns.filter(({ definition }) => columnDefinition(definition).identity).map((column) => column.name),
  );
  const own = sequences.flatMap((sequence) => {
    const text = sequenceText(sequence.name, sequence.definition);
    return text?.owner === undefined || identities.has(text.owner)
      ? []
      : [{ sequence, text, owner: text.owner }];
  });
  const lines = columns.map(
    (column) => `  ${lastOf(column.name)} ${columnSql(columnDefinition(column.definition))}`,
  );
  const isLast = (constraint: SchemaObject): boolean => parentOf(constraint) !== undefined;
  return [
    // A sequence that is there already belongs to nobody else: its name says whose it is.
    ...own.flatMap(({ sequence, text }) => (draft.live.has(keyOf(sequence)) ? [] : [text.sql])),
    `CREATE ${unlogged}TABLE ${name} (\n${lines.join(',\n')}\n)${options === undefined ? '' : ` WITH (${options})`}`,
    ...own.map(({ sequence, owner }) => `ALTER SEQUENCE ${sequence.name} OWNED BY ${owner}`),
    ...constraints
      .toSorted((a, b) => Number(isLast(a)) - Number(isLast(b)))
      .map(
        (constraint) =>
          `ALTER TABLE ${name} ADD CONSTRAINT ${lastOf(constraint.name)} ${constraint.definition}`,
      ),
    ...indexes.map(({ definition }) => definition),
  ];
}
