import type { SchemaDescription, SchemaObjectName } from '../../drift/description.ts';

/** What a file does to the objects of a schema, as a replay has shown it. */
export interface FileObjects {
  /** As in our ledger: `shop/001_items.sql`. */
  readonly file: string;
  readonly makes: readonly SchemaObjectName[];
  readonly drops: readonly SchemaObjectName[];
}

/** A file that a ledger says is applied, and what of it is not there. */
export interface Unproven {
  readonly file: string;
  /** `table public.items`, `column public.items.price`. */
  readonly missing: readonly string[];
}

/**
 * Looks for everything that applied files make and no applied file behind them drops. Names only: whether a definition is the
 * right one is for the comparison of the whole schema to say.
 *
 * @param timeline all files, in their order.
 * @param applied names of files that are said to be applied.
 */
export function proveApplied(
  timeline: readonly FileObjects[],
  applied: ReadonlySet<string>,
  live: SchemaDescription,
): Unproven[] {
  const makers = new Map<string, string>();
  for (const { file, makes, drops } of timeline.filter((each) => applied.has(each.file))) {
    for (const object of drops) makers.delete(labelOf(object));
    for (const object of makes) makers.set(labelOf(object), file);
  }
  const there = new Set(live.map(labelOf));
  const missing = new Map<string, string[]>();
  for (const [object, file] of makers)
    if (!there.has(object)) missing.set(file, [...(missing.get(file) ?? []), object]);
  return timeline.flatMap(({ file }) => {
    const objects = missing.get(file);
    return objects === undefined ? [] : [{ file, missing: objects }];
  });
}

const labelOf = ({ kind, name }: SchemaObjectName): string => `${kind} ${name}`;
