import { keyOf, type SchemaDifference } from '../drift/difference.ts';
import type { AcceptedObject } from './adoption.ts';
import { type Simulated, tableOf } from './simulated.ts';
import { definitionsFrom, type Timeline } from './timeline.ts';

/**
 * Where a database stands to a file: `ahead` it has all that the file makes, `behind` nothing of it, `between` a part, or
 * something else in its place; `unseen` the file makes nothing that the catalogue shows.
 */
export type Standing = 'ahead' | 'behind' | 'between' | 'unseen';

/** What the catalogue of a database says of one file. */
export interface Judged {
  readonly standing: Standing;
  /** Objects that are not as this file or a later one leaves them: `expected` behind the file, `actual` in the database. */
  readonly open: readonly SchemaDifference[];
}

/** Compares a database with what the file at this place of the timeline does. */
export function judge(
  timeline: Timeline,
  index: number,
  live: Simulated,
  accepted: readonly AcceptedObject[],
): Judged {
  const changes = timeline.effects[index]?.changes ?? [];
  if (changes.length === 0) return { standing: 'unseen', open: [] };
  const places = changes.map((change) => placeOf(change, timeline, index, live, accepted));
  const open = changes.flatMap((change, at) =>
    places[at] === 'ahead' || places[at] === 'accepted'
      ? []
      : { ...change, expected: change.actual, actual: live.get(keyOf(change)) },
  );
  if (open.length === 0) return { standing: 'ahead', open };
  const isBehind = places.every((place) => place === 'behind' || place === 'accepted');
  return { standing: isBehind ? 'behind' : 'between', open };
}

/** What is accepted in its own form says nothing of whether the file was run. */
type Place = 'ahead' | 'behind' | 'accepted' | 'other';

function placeOf(
  change: SchemaDifference,
  timeline: Timeline,
  index: number,
  live: Simulated,
  accepted: readonly AcceptedObject[],
): Place {
  const key = keyOf(change);
  const found = live.get(key);
  // A part that a later file drops is not there for another reason when its table is not.
  if (live.lacksTableOf(change)) return 'behind';
  if (definitionsFrom(timeline, index, key).includes(found))
    return found === change.expected && !isUndone(timeline, index, change, live, accepted)
      ? 'behind'
      : 'ahead';
  if (found !== undefined && isAccepted(change, found, accepted)) return 'accepted';
  return found === change.expected ? 'behind' : 'other';
}

/** What looks as before the file is so because a later file has taken it back, if that file shows in all that it does. */
function isUndone(
  timeline: Timeline,
  index: number,
  { kind, name, expected }: SchemaDifference,
  live: Simulated,
  accepted: readonly AcceptedObject[],
): boolean {
  return timeline.effects.some(
    ({ changes }, later) =>
      later > index &&
      changes.some((each) => each.kind === kind && each.name === name && each.actual === expected) &&
      judge(timeline, later, live, accepted).standing === 'ahead',
  );
}

export function isAccepted(
  { kind, name }: Pick<SchemaDifference, 'kind' | 'name'>,
  definition: string,
  accepted: readonly AcceptedObject[],
): boolean {
  return accepted.some(
    (each) => each.kind === kind && each.name === name && each.definitions.includes(definition),
  );
}

/** Whether the file changes the type of a column of these tables, which rewrites its table. */
export function changesType({ open }: Judged, tables: ReadonlySet<string>): boolean {
  return open.some(
    ({ kind, name, expected, actual }) =>
      kind === 'column' &&
      tables.has(tableOf(name)) &&
      expected !== undefined &&
      actual !== undefined &&
      typeOf(expected) !== typeOf(actual),
  );
}

/** The type at the beginning of a column's definition. */
const typeOf = (definition: string): string =>
  definition.replace(/ (collate|not null|default|generated) .*$|( not null)$/s, '');
