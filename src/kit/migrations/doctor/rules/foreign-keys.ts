import {
  type DoctorFacts,
  type ForeignKeyFacts,
  primaryOf,
  quoted,
  tableOf,
  type TableFacts,
} from '../facts.ts';
import { LIVE_COLUMN } from '../../live-parent/names.ts';
import { shownIn } from '../mend-index.ts';
import type { Ailment, DoctorRule } from '../rule.ts';

const CASCADE = ' ON DELETE CASCADE';
const NOT_VALID = ' NOT VALID';

/** Since then a foreign key of a divided table may be NOT VALID. */
const NOT_VALID_ON_PARTITIONED = 180_000;

/** Rules about rows that refer to rows that may be marked as deleted, or may be removed while they should be marked. */
export const FOREIGN_KEY_RULES: readonly DoctorRule[] = [
  {
    id: 'D201',
    severity: 'warning',
    sentence:
      'The parent can be marked as deleted and its child cannot, so the child stays visible without it.',
    alternative:
      'Give the child the mark too, or waive it where the child is a record of its own, such as a ledger.',
    check: (facts) => keysThat(facts, isHardChild, addMark),
  },
  {
    id: 'D202',
    severity: 'error',
    sentence: 'Rows that are to be marked as deleted are removed by the cascade of a parent that is not.',
    alternative: 'Let the foreign key refuse the removal while there are children.',
    check: (facts) => keysThat(facts, takesSoftChild, withoutCascade),
  },
  {
    id: 'D203',
    severity: 'warning',
    sentence:
      'The cascade does not run when the parent is marked as deleted, and takes the children, live ones too, when it is removed.',
    alternative: 'Let the foreign key refuse the removal, or waive it where a removal is meant to take them.',
    check: (facts) => keysThat(facts, hangsOnSoftParent, withoutCascade),
  },
  {
    id: 'D204',
    severity: 'warning',
    sentence:
      'The guarantee of live parents holds for new writes, and nobody has checked the rows that were there before it.',
    alternative: 'Validate it; "tombstone live-parent check" names the rows that stand against it.',
    check: (facts) => keysThat(facts, isUnproven, validation),
  },
];

type KeyTest = (facts: DoctorFacts, key: ForeignKeyFacts) => boolean;

function keysThat(
  facts: DoctorFacts,
  isBroken: KeyTest,
  mend: (facts: DoctorFacts, key: ForeignKeyFacts) => string[],
): Ailment[] {
  return facts.foreignKeys
    .filter((key) => isBroken(facts, key))
    .map((key) => ({ about: shownIn(facts, key), sql: mend(facts, key) }));
}

function isUnproven(_: DoctorFacts, { columns, isEnforced, definition }: ForeignKeyFacts): boolean {
  return columns.includes(LIVE_COLUMN) && isEnforced && definition.endsWith(NOT_VALID);
}

const validation = (facts: DoctorFacts, key: ForeignKeyFacts): string[] => [
  `ALTER TABLE ${tableOf(facts, key).sql} VALIDATE CONSTRAINT ${quoted(key.name)}`,
];

/** Whether a removal of the parent takes the child with it. */
const cascades = ({ action, isEnforced }: ForeignKeyFacts): boolean => action === 'c' && isEnforced;

function takesSoftChild({ soft }: DoctorFacts, key: ForeignKeyFacts): boolean {
  return cascades(key) && soft.has(key.table) && !soft.has(key.target);
}

function hangsOnSoftParent(facts: DoctorFacts, key: ForeignKeyFacts): boolean {
  return cascades(key) && facts.soft.has(key.target) && !isLink(facts, key) && !isPolicy(facts, key);
}

function isHardChild(facts: DoctorFacts, key: ForeignKeyFacts): boolean {
  return (
    facts.soft.has(key.target) && !facts.soft.has(key.table) && !isLink(facts, key) && !isPolicy(facts, key)
  );
}

/** Of a parent that is deleted by policies, each foreign key has one, which was checked against ON DELETE. */
function isPolicy({ model, tables }: DoctorFacts, { target }: ForeignKeyFacts): boolean {
  const { schema, name } = tables.get(target) as TableFacts;
  return (model.deletedByPolicy ?? []).some(
    (each) => each.table === name && (each.schema ?? 'public') === schema,
  );
}

/** A row of a join table is an edge: it is seen through its ends only, and goes with either. */
function isLink(facts: DoctorFacts, { table }: ForeignKeyFacts): boolean {
  const columns = primaryOf(facts, table)?.keys.map(({ column }) => column) ?? [];
  const ends = facts.foreignKeys.filter(
    (key) => key.table === table && key.columns.every((column) => columns.includes(column)),
  );
  return ends.length > 1 && columns.every((column) => ends.some((end) => end.columns.includes(column ?? '')));
}

/** A column without default is added without reading the table. */
function addMark(facts: DoctorFacts, key: ForeignKeyFacts): string[] {
  const mark = facts.soft.get(key.target) as string;
  const type = facts.tables.get(key.target)?.columns.find(({ name }) => name === mark)?.type;
  const { sql } = rootOf(facts, tableOf(facts, key));
  return [`ALTER TABLE ${sql} ADD COLUMN IF NOT EXISTS ${quoted(mark)} ${type}`];
}

/** A partition has the columns of the table that it is a part of. */
function rootOf(facts: DoctorFacts, table: TableFacts): TableFacts {
  const parent = table.parent === null ? undefined : facts.tables.get(table.parent);
  return parent ? rootOf(facts, parent) : table;
}

/** The new key guards at once and is checked afterwards, when it stops no writer; then it takes the name of the old one. */
function withoutCascade(facts: DoctorFacts, key: ForeignKeyFacts): string[] {
  const table = tableOf(facts, key);
  const alter = `ALTER TABLE ${table.sql}`;
  const name = quoted(facts.names.take(table.schema, key.name, '_new'));
  const at = key.definition.lastIndexOf(CASCADE);
  const [head, options] = [key.definition.slice(0, at), key.definition.slice(at + CASCADE.length)];
  const definition = `${head}${options.replace(/ NOT VALID$/, '')}`;
  const isLate = !table.isPartitioned || facts.version >= NOT_VALID_ON_PARTITIONED;
  return [
    `${alter} ADD CONSTRAINT ${name} ${definition}${isLate ? ' NOT VALID' : ''}`,
    ...(isLate ? [`${alter} VALIDATE CONSTRAINT ${name}`] : []),
    `${alter} DROP CONSTRAINT ${quoted(key.name)}`,
    `${alter} RENAME CONSTRAINT ${name} TO ${quoted(key.name)}`,
  ];
}
