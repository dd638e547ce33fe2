import { byKindAndName, type SchemaDescription, type SchemaObjectName } from '../drift/description.ts';
import { keyOf, type SchemaDifference } from '../drift/difference.ts';

/** The parts of a table, whose names begin with its own. */
const PARTS = new Set(['column', 'constraint', 'trigger', 'rule', 'policy']);

/** A database as it will be behind the steps that are planned so far. */
export class Simulated {
  readonly #objects: Map<string, { readonly object: SchemaObjectName; readonly definition: string }>;

  constructor(live: SchemaDescription) {
    this.#objects = new Map(
      live.map(({ kind, name, definition }) => [
        keyOf({ kind, name }),
        { object: { kind, name }, definition },
      ]),
    );
  }

  /** @param key `kind name` */
  get(key: string): string | undefined {
    return this.#objects.get(key)?.definition;
  }

  has(object: SchemaObjectName): boolean {
    return this.#objects.has(keyOf(object));
  }

  /** Whether the object belongs to a table that is not there. */
  lacksTableOf({ kind, name }: SchemaObjectName): boolean {
    if (!PARTS.has(kind)) return false;
    return !this.has({ kind: 'table', name: tableOf(name) });
  }

  /** Takes the `expected` side of differences for done. */
  settle(differences: readonly SchemaDifference[]): void {
    for (const { kind, name, expected } of differences) {
      const key = keyOf({ kind, name });
      if (expected === undefined) this.#objects.delete(key);
      else this.#objects.set(key, { object: { kind, name }, definition: expected });
    }
  }

  /** @param keys `kind name` */
  remove(keys: readonly string[]): void {
    for (const key of keys) this.#objects.delete(key);
  }

  get description(): SchemaDescription {
    return [...this.#objects.values()]
      .map(({ object, definition }) => ({ ...object, definition }))
      .toSorted(byKindAndName);
  }
}

/** The table of a part, both qualified and quoted: the first two parts of its name. */
export function tableOf(name: string): string {
  return /^((?:"(?:[^"]|"")+"|[^".]+)\.(?:"(?:[^"]|"")+"|[^".]+))/.exec(name)?.[1] ?? name;
}
