import type { SchemaDescription, SchemaObject } from '../../drift/description.ts';
import { keyOf } from '../../drift/difference.ts';
import type { Session } from '../../session.ts';
import type { Blocker } from './align-step.ts';
import { columnDefinition } from './column-definition.ts';
import { countBreaches } from './breaches.ts';
import { columnBreaches, constraintBreach, uniqueBreach, type Breach } from './row-rules.ts';
import { indexObject, isInvalid } from './index-definition.ts';
import { isTemporary, ownerOf } from './names.ts';

/** What is looked for, and what is not. */
export interface BlockerRequest {
  readonly target: SchemaDescription;
  readonly live: SchemaDescription;
  /** Columns, qualified, whose NULLs will have values before they are forbidden. Those with a default are filled anyway. */
  readonly fillable?: readonly string[];
  /** Objects of the target (`kind name`) whose rows will be repaired before. */
  readonly repaired?: readonly string[];
}

/**
 * Rows that stand against what the target demands and the database does not, and columns that our programs do not know and would
 * have to fill. By definition: what the database has under another name demands the same.
 *
 * @param session reads only; not in a transaction.
 */
export async function findBlockers(session: Session, request: BlockerRequest): Promise<Blocker[]> {
  return [...(await countBreaches(session, breachesOf(request))), ...unknownColumns(request)];
}

function breachesOf({ target, live, fillable = [], repaired = [] }: BlockerRequest): Breach[] {
  const tables = new Set(live.filter(({ kind }) => kind === 'table').map(({ name }) => name));
  const skipped = new Set(repaired);
  const columns = new Map(
    live.filter(({ kind }) => kind === 'column').map(({ name, definition }) => [name, definition]),
  );
  const shapes = new Set(live.flatMap((object) => shapeOf(object) ?? []));
  const rules = new Set(live.map(ruleOf));
  return target.flatMap((object) => {
    if (skipped.has(keyOf(object))) return [];
    const unique = indexObject(object);
    if (unique?.index.isUnique) {
      if (!tables.has(unique.index.table) || shapes.has(unique.index.shape)) return [];
      return [uniqueBreach(unique, live)];
    }
    if (!tables.has(ownerOf(object.name))) return [];
    if (object.kind === 'column') {
      const actual = columns.get(object.name);
      return actual === undefined ? [] : columnBreaches(object, actual, fillable.includes(object.name));
    }
    if (object.kind !== 'constraint' || rules.has(ruleOf(object))) return [];
    const breach = constraintBreach(object, tables, live);
    return breach ? [breach] : [];
  });
}

/** A constraint whatever its name is, and what it does when a parent goes: rows stand against none of that. */
function ruleOf({ kind, name, definition }: SchemaObject): string {
  return `${kind} ${ownerOf(name)} ${definition.replace(/(?: ON (?:UPDATE|DELETE) (?:CASCADE|RESTRICT|SET NULL|SET DEFAULT)(?: \([^)]*\))?)+/g, '').replace(/(?: NOT)? DEFERRABLE(?: INITIALLY DEFERRED)?/, '')}`;
}

/** A deferrable one is as unique as another. */
function shapeOf(object: SchemaObject): string | undefined {
  const found = isInvalid(object.definition) ? undefined : indexObject(object);
  return found?.index.isUnique ? found.index.shape : undefined;
}

/** Rows of our programs would have no value for these. */
function unknownColumns({ target, live }: BlockerRequest): Blocker[] {
  const tables = new Set(target.filter(({ kind }) => kind === 'table').map(({ name }) => name));
  const known = new Set(target.map(keyOf));
  return live.flatMap((object) => {
    if (object.kind !== 'column' || known.has(keyOf(object)) || !tables.has(ownerOf(object.name))) return [];
    const column = columnDefinition(object.definition);
    const hasValue =
      column.default !== undefined || column.identity !== undefined || column.generated !== undefined;
    if (!column.isNotNull || hasValue || isTemporary(object.name)) return [];
    const text = `The column ${object.name} is not known here, and it has neither a default nor NULL, so that no row could be added. Give it a default, or allow NULL in it.`;
    return [{ kind: 'shape', object: object.name, text }];
  });
}
