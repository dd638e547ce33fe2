import {
  type Dictionary,
  type EntityMetadata,
  type EntityProperty,
  type PopulateOptions,
  ReferenceKind,
} from '@mikro-orm/core';
import { PostgreSqlPlatform } from '@mikro-orm/postgresql';
import { isStub, showStub } from './keep-stubs.ts';
import { referencesKey } from './referenced-key.ts';

type Row = Dictionary;
type Hints = readonly PopulateOptions<object>[];

/** Steps of the core's driver and builder that a mapper asks once. */
interface MappingDriver {
  getPlatform(): {
    getTimezone(): string | undefined;
    parseDate(value: number | string): unknown;
    isNumericProperty(prop: EntityProperty): boolean;
    shouldHaveColumn(prop: EntityProperty, hints: Hints): boolean;
  };
  joinedProps(meta: EntityMetadata, populate: Hints): Hints;
}

interface MappingBuilder {
  readonly state: { readonly joins: Readonly<Record<string, { readonly prop?: EntityProperty }>> };
  getAliasForJoinPath(path: string, options: { matchPopulateJoins: boolean }): string | undefined;
}

interface Column {
  readonly field: string;
  readonly name: string;
  readonly kind: 'boolean' | 'date' | 'plain';
}

/** A joined to-one relation; `hint` is its position among the hints of its level. */
interface Branch {
  readonly prop: EntityProperty;
  readonly hint: number;
  readonly isStub: boolean;
  readonly keys: readonly string[];
  readonly columns: readonly Column[];
  readonly branches: readonly Branch[];
}

/** Maps the rows of one answer; `hints` are those of the call. */
export interface RowMapper {
  /** Columns that may come as dates, and make the same entities then. */
  readonly dates: ReadonlySet<string>;
  map(rows: readonly Row[], hints: Hints): Row[];
}

/** Parts of rows that stand for one row each, however many rows of an answer share them. */
const shared = new WeakSet<object>();

/** Whether a part of a row was made here, so that nobody else can have changed it since. */
export const isSharedPart = (part: object): boolean => shared.has(part);

/**
 * A mapper for the answers of one statement that joins to-one relations only; undefined where the core has to map. It reads each
 * column once, where the core goes through all properties of all relations for each row, and keeps one part for a joined row
 * that several rows share.
 */
export function rowMapper(
  driver: MappingDriver,
  meta: EntityMetadata,
  populate: Hints,
  builder: MappingBuilder,
  columns: readonly string[],
): RowMapper | undefined {
  if (!isPlain(meta)) return undefined;
  const joins = Object.values(builder.state.joins);
  // A row that a join repeats has to be merged with itself.
  if (!joins.every(({ prop }) => prop !== undefined && isToOne(prop) && isOfOneRow(prop))) return undefined;
  const own = meta.props
    .filter(({ fieldNames }) => fieldNames)
    .map((prop) => columnOf(driver, prop, '', 'root'));
  const branches = branchesOf(driver, meta, populate, builder, '');
  if (!branches || own.length === 0) return undefined;
  const all = [...own, ...branches.flatMap(allColumns)];
  const known = new Set(all.map(({ field }) => field));
  if (columns.some((column) => !known.has(column))) return undefined;
  const there = new Set(columns);
  const read = own.filter(({ field }) => there.has(field));
  const parse = dateParser(driver);
  // A platform of the program's own may make other dates of texts.
  const isCore = driver.getPlatform().parseDate === PostgreSqlPlatform.prototype.parseDate;
  const dates = new Set(isCore ? dateFields(all, branches.flatMap(allKeys)) : []);
  const map: RowMapper['map'] = (rows, hints) => {
    const parts = new Map<Branch, Map<string, Row>>();
    return rows.map((row) => {
      const result = mapped(row, read, parse, true);
      addBranches({ row, parse, parts }, result, branches, hints);
      return result;
    });
  };
  return { dates, map };
}

/** A class whose rows need none of the core's special ways. */
function isPlain(meta: EntityMetadata): boolean {
  const isUnusual = (prop: EntityProperty): boolean =>
    Boolean(prop.polymorphic ?? prop.embedded) ||
    prop.kind === ReferenceKind.EMBEDDED ||
    (prop.fieldNames?.length ?? 0) > 1 ||
    (prop.persist === false && prop.fieldNames !== undefined && !isToOne(prop));
  return !meta.root.inheritanceType && !meta.polymorphs && !meta.props.some(isUnusual);
}

function isToOne({ kind }: EntityProperty): boolean {
  return kind === ReferenceKind.MANY_TO_ONE || kind === ReferenceKind.ONE_TO_ONE;
}

/** The other side of a one-to-one finds the one row that names it, and a key of its own is unique. */
const isOfOneRow = (prop: EntityProperty): boolean =>
  (prop.kind === ReferenceKind.ONE_TO_ONE && !prop.owner) ||
  prop.targetKey !== undefined ||
  referencesKey(prop);

function columnOf(
  driver: MappingDriver,
  prop: EntityProperty,
  alias: string,
  level: 'joined' | 'root',
): Column {
  const field = `${alias}${prop.fieldNames[0] ?? ''}`;
  const isRoot = level === 'root';
  // As the core does: what a joined row holds is converted by the hydrator.
  const isBoolean = isRoot && prop.runtimeType === 'boolean';
  const isDate = prop.runtimeType === 'Date' && !(isRoot && driver.getPlatform().isNumericProperty(prop));
  return { field, name: prop.name, kind: isBoolean ? 'boolean' : isDate ? 'date' : 'plain' };
}

function branchesOf(
  driver: MappingDriver,
  meta: EntityMetadata,
  populate: Hints,
  builder: MappingBuilder,
  parent: string,
): Branch[] | undefined {
  const branches: Branch[] = [];
  for (const hint of driver.joinedProps(meta, populate)) {
    const prop = meta.properties[hint.field] as EntityProperty | undefined;
    const target = prop?.targetMeta;
    if (!prop || !target || !isToOne(prop) || prop.mapToPk || hint.dataOnly || !isPlain(target))
      return undefined;
    const path = parent ? `${parent}.${prop.name}` : `[populate]${String(meta.name)}.${prop.name}`;
    const alias = builder.getAliasForJoinPath(path, { matchPopulateJoins: true });
    const children = hint.children ?? [];
    const below = branchesOf(driver, target, children, builder, path);
    if (!alias || !below) return undefined;
    const props = target.props.filter((own) => driver.getPlatform().shouldHaveColumn(own, children as Hints));
    branches.push({
      prop,
      hint: populate.indexOf(hint),
      isStub: isStub(meta, prop),
      keys: target.getPrimaryProps().map((key) => `${alias}__${key.fieldNames[0] ?? ''}`),
      columns: props.map((own) => columnOf(driver, own, `${alias}__`, 'joined')),
      branches: below,
    });
  }
  return branches;
}

const allColumns = ({ columns, branches }: Branch): Column[] => [...columns, ...branches.flatMap(allColumns)];
const allKeys = ({ keys, branches }: Branch): string[] => [...keys, ...branches.flatMap(allKeys)];

/** Not those of keys, whose texts tell apart what is of one millisecond, and not what two properties would share, which is changed in place. */
function dateFields(columns: readonly Column[], keys: readonly string[]): string[] {
  const isShared = (field: string): boolean => columns.filter((column) => column.field === field).length > 1;
  return columns
    .filter(({ kind, field }) => kind === 'date' && !keys.includes(field) && !isShared(field))
    .map(({ field }) => field);
}

type Parse = (value: unknown, isRoot: boolean) => unknown;

function dateParser(driver: MappingDriver): Parse {
  const platform = driver.getPlatform();
  const zone = platform.getTimezone();
  const own = zone && zone !== 'local' ? zone : '';
  return (value, isRoot) => {
    if (typeof value === 'string') {
      const hasZone = value.includes('+') || value.lastIndexOf('-') > 10 || value.endsWith('Z');
      return platform.parseDate(hasZone ? value : value + own);
    }
    if (typeof value === 'number') return platform.parseDate(value);
    return isRoot && typeof value === 'bigint' ? platform.parseDate(Number(value)) : value;
  };
}

function mapped(row: Row, columns: readonly Column[], parse: Parse, isRoot: boolean): Row {
  const result: Row = {};
  for (const { field, name, kind } of columns) {
    const value: unknown = row[field];
    if (value === undefined) continue;
    if (kind === 'plain' || value === null) result[name] = value;
    else result[name] = kind === 'date' ? parse(value, isRoot) : Boolean(value);
  }
  return result;
}

interface Answer {
  readonly row: Row;
  readonly parse: Parse;
  /** By relation and key: the joined rows that were met already. */
  readonly parts: Map<Branch, Map<string, Row>>;
}

function addBranches(answer: Answer, result: Row, branches: readonly Branch[], hints: Hints): void {
  for (const branch of branches) {
    const hint = hints[branch.hint] as Hints[number];
    const { name } = branch.prop;
    const key: unknown = result[name];
    const part = partOf(answer, branch, hint);
    result[name] = part;
    if (part === null && branch.isStub && key !== null && key !== undefined) {
      result[name] = key;
      showStub(hint, key);
    }
  }
}

function partOf(answer: Answer, branch: Branch, hint: Hints[number]): Row | null {
  const { row, parse, parts } = answer;
  let key = '';
  for (const field of branch.keys) {
    const value = row[field] as number | string | null | undefined;
    if (value === null || value === undefined) return null;
    key += `${typeof value}:${String(value)}\n`;
  }
  const known = parts.get(branch) ?? new Map<string, Row>();
  if (known.size === 0) parts.set(branch, known);
  const before = known.get(key);
  if (before) return before;
  const part = mapped(row, branch.columns, parse, false);
  shared.add(part);
  known.set(key, part);
  addBranches(answer, part, branch.branches, hint.children ?? []);
  return part;
}
