import { byKindAndName, type SchemaDescription, type SchemaObjectName } from './description.ts';

/** One object that two schemas do not share. */
export interface SchemaDifference extends SchemaObjectName {
  /** Its definition in the first schema; undefined where it has no such object. */
  readonly expected: string | undefined;
  readonly actual: string | undefined;
}

export const keyOf = ({ kind, name }: SchemaObjectName): string => `${kind} ${name}`;

/** What differs, sorted; of a table that is gone as a whole only itself, unless its parts are asked for. */
export function differenceOf(
  expected: SchemaDescription,
  actual: SchemaDescription,
  parts?: 'with parts',
): SchemaDifference[] {
  const before = byKey(expected);
  const after = byKey(actual);
  const differing = [...expected, ...actual.filter((object) => !before.has(keyOf(object)))]
    .map(({ kind, name }) => {
      const key = keyOf({ kind, name });
      return { kind, name, expected: before.get(key), actual: after.get(key) };
    })
    .filter((each) => each.expected !== each.actual);
  return differing.filter((each) => parts || !isPartOf(each, differing)).toSorted(byKindAndName);
}

function byKey(schema: SchemaDescription): Map<string, string> {
  return new Map(schema.map((object) => [keyOf(object), object.definition]));
}

/** Parts whose name begins with that of their table. */
const PARTS = new Set(['column', 'constraint', 'trigger', 'rule', 'policy']);

/** Whether one side lacks the table of this part altogether, so that the part tells nothing more. */
function isPartOf(part: SchemaDifference, all: readonly SchemaDifference[]): boolean {
  if (!PARTS.has(part.kind)) return false;
  return all.some(
    ({ kind, name, expected, actual }) =>
      kind === 'table' &&
      part.name.startsWith(`${name}.`) &&
      ((expected === undefined && part.expected === undefined) ||
        (actual === undefined && part.actual === undefined)),
  );
}

/** A difference as lines for people: the object, then what was expected and what is there. */
export function describeDifference({ kind, name, expected, actual }: SchemaDifference): string {
  const side = (definition: string | undefined): string =>
    definition === undefined ? '(not there)' : definition.replaceAll('\n', '\n             ') || '(there)';
  return `${kind} ${name}\n  expected   ${side(expected)}\n  actual     ${side(actual)}`;
}
