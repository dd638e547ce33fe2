import type { EntityMetadata } from '@mikro-orm/core';
import { currentScope, guardsWrites, isSoftDeletable } from '../soft-delete/index.ts';
import { deletedAtColumn } from './live-predicate.ts';
import { namesFor, shownOwners } from './shown-owners.ts';

/** A table that a statement of the layer writes, and what keeps it from rows that are not there. */
export interface LiveTarget {
  /** Quoted, with its schema where it needs one. */
  readonly table: string;
  /** `"t"."deleted_at" is null` for an alias, or an empty text where the scope or the entity asks for none. */
  live(alias: string): string;
  /** That no dead target hides the row of the alias `t`. */
  readonly conditions: readonly string[];
}

/** The target as the current scope sees it. */
export function livePredicates(driver: object, meta: EntityMetadata, schema: string | undefined): LiveTarget {
  const scope = currentScope();
  const names = namesFor(driver, meta, schema);
  const isGuarded = guardsWrites(scope) && isSoftDeletable(meta);
  const shown = scope ? undefined : shownOwners(meta, '"t"', names);
  return {
    table: names.table(meta),
    live: (alias) => (isGuarded ? `"${alias}".${names.quote(deletedAtColumn(meta))} is null` : ''),
    conditions: shown === undefined ? [] : [shown],
  };
}
