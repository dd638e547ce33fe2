import type { EntityMetadata } from '@mikro-orm/core';
import type { BackstopTable } from '../migrations/index.ts';
import { isSoftDeletable } from '../soft-delete/index.ts';
import { deletedAtColumn } from './live-predicate.ts';

/** The tables behind soft-deletable entities, each once: a single-table hierarchy is one. Views are none. */
export function backstopTables(metadata: Iterable<EntityMetadata>): BackstopTable[] {
  const found = new Map<string, BackstopTable>();
  for (const meta of metadata) {
    const isTable = meta.tableName && !meta.virtual && !meta.embeddable && !meta.view;
    if (!isTable || !isSoftDeletable(meta)) continue;
    const { schema, tableName: table } = meta.root;
    found.set(JSON.stringify([schema, table]), { schema, table, deletedAt: deletedAtColumn(meta) });
  }
  return [...found.values()].toSorted((a, b) => shownTable(a).localeCompare(shownTable(b)));
}

/** A table as messages and the command line name it. */
export function shownTable({ schema, table }: BackstopTable): string {
  return schema === undefined ? table : `${schema}.${table}`;
}
