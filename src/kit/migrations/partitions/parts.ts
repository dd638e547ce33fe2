import { childName } from './child-name.ts';
import type { rootIndex, TreeIndex, TreeTable } from './tree.ts';

/** A table of the tree with its part of the index. */
export interface Part {
  readonly table: TreeTable;
  /** The index that is, or can become, its part: attached, of our name, or one that was there and is alike. */
  readonly own: TreeIndex | undefined;
  /** What it is attached to; undefined for the table that the statement names. */
  readonly parent: { readonly table: TreeTable; readonly index: TreeIndex } | undefined;
}

/** The tables with their parts of one index, from the top down. */
export class IndexTree {
  readonly root: Awaited<ReturnType<typeof rootIndex>>;
  readonly parts: readonly Part[];

  constructor(tables: readonly TreeTable[], root: Awaited<ReturnType<typeof rootIndex>>) {
    this.root = root;
    const known = new Map<number, Part>();
    for (const table of tables) {
      const above = table.parent === undefined ? undefined : known.get(table.parent);
      const parent = above?.own && { table: above.table, index: above.own };
      const own = above
        ? partOf(table, parent?.index, root?.name ?? '')
        : table.indexes.find(({ oid }) => oid === root?.oid);
      known.set(table.oid, { table, own, parent });
    }
    this.parts = [...known.values()];
  }

  /** As the catalogue has it; the names of parts are made of it. */
  get rootName(): string {
    return this.root?.name ?? '';
  }
}

function partOf(table: TreeTable, whole: TreeIndex | undefined, rootName: string): TreeIndex | undefined {
  const attached = whole && table.indexes.find((index) => index.partOf === whole.oid);
  if (attached) return attached;
  const alike = table.indexes.filter((index) => index.isAlike && index.partOf === null);
  const name = childName(table, rootName);
  const ours = alike.find((index) => index.name === name);
  // An index over partitions is invalid until all of them are attached; of a table it is what a failed build has left.
  if (ours && (ours.isValid || table.kind === 'partitioned')) return ours;
  return alike.find((index) => index.isValid);
}
