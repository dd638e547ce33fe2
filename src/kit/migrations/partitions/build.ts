import { escapeIdentifier } from 'pg';
import type { Execution } from '../execution.ts';
import type { MigrationFile } from '../files.ts';
import { dropRemains } from '../index-remains.ts';
import { hasValues, type Statement } from '../parsed-migration.ts';
import { childName } from './child-name.ts';
import { type Lack, PartitionedIndexError } from './errors.ts';
import { createIndex, type IndexText } from './index-text.ts';
import { IndexTree, type Part } from './parts.ts';
import { areAlike, full, readTree, rootIndex } from './tree.ts';

/** How the runner sends what a step is made of; a refusal becomes the failure of the step. */
export interface Sender {
  send(text: string): Promise<void>;
  /** In one short transaction, which is tried again when a lock does not come. */
  briefly(work: () => Promise<void>): Promise<void>;
  /** By itself, for as long as it takes. */
  patiently(work: () => Promise<void>): Promise<void>;
}

/**
 * Builds the index of a partitioned table without stopping its writers: an empty one for the whole, one by one those of the
 * partitions, then it puts them together. It asks the catalogue what is there before each part, so it can be begun anew at
 * any point, and partitions that come meanwhile get theirs.
 */
export class PartitionedIndex {
  readonly #statement: Statement;
  readonly #file: MigrationFile;
  readonly #execution: Execution;
  readonly #sender: Sender;
  readonly #index: IndexText;
  /** Tables whose part was built or attached by this run: the same again would be for ever. */
  readonly #built = new Set<number>();
  readonly #attached = new Set<number>();
  #isCompared = false;

  constructor(
    file: MigrationFile,
    statement: Statement,
    execution: Execution,
    { sender, index }: { sender: Sender; index: IndexText },
  ) {
    this.#file = file;
    this.#statement = statement;
    this.#execution = execution;
    this.#sender = sender;
    this.#index = index;
  }

  /** @throws PartitionedIndexError that names what is missing; MigrationFailedError. */
  async build(): Promise<void> {
    this.#refuseForeign(await this.#tree());
    for (;;) {
      if (!this.#isCompared || (await this.#tree()).parts.some((part) => lacksFrame(part)))
        await this.#sender.briefly(() => this.#frame());
      const tree = await this.#tree();
      this.#refuseForeign(tree);
      if (await this.#buildMissing(tree)) continue;
      if (!(await this.#attachLoose(tree))) break;
    }
    await this.#refuseIncomplete();
  }

  async #tree(): Promise<IndexTree> {
    const { session } = this.#execution;
    const root = await rootIndex(session, this.#index.name, this.#index.table);
    return new IndexTree(await readTree(session, this.#index.table, root?.oid ?? 0), root);
  }

  /** The empty indexes of all tables that have partitions, together: a unique one that cannot be is refused before any build. */
  async #frame(): Promise<void> {
    if (!this.#isCompared) await this.#refuseOther();
    const { root } = await this.#tree();
    const { name, table } = this.#index;
    // Where it is valid and the statement has no IF NOT EXISTS, the server refuses it, as it would any other.
    const isRefused = !this.#isCompared && root?.isValid && !this.#index.isGuarded;
    if (!root || isRefused) await this.#sender.send(createIndex(this.#index, 'only', name, table));
    const { parts, rootName } = await this.#tree();
    for (const { table: each, own } of parts) {
      if (own || each.kind !== 'partitioned') continue;
      const child = escapeIdentifier(childName(each, rootName));
      await this.#sender.send(createIndex(this.#index, 'only', child, full(each, each.name)));
    }
    this.#isCompared = true;
  }

  /** An index of that name may be that of an earlier text of the statement; the server would notice only at the end. */
  async #refuseOther(): Promise<void> {
    const { session } = this.#execution;
    const { name, table } = this.#index;
    const root = await rootIndex(session, name, table);
    if (!root) return;
    await this.#sender.send('savepoint tombstone_probe');
    await this.#sender.send(createIndex(this.#index, 'only', PROBE, table));
    const probe = await rootIndex(session, PROBE, table);
    const isSame = probe !== undefined && (await areAlike(session, root.oid, probe.oid));
    await this.#sender.send('rollback to savepoint tombstone_probe');
    if (isSame) return;
    const [{ table: whole }] = (await this.#tree()).parts as [Part];
    if (root.isValid)
      throw this.#error([lackOf(whole, 'It has an index of that name with another definition. Rename one.')]);
    await this.#sender.send(`drop index ${full(whole, root.name)}`);
  }

  async #buildMissing({ parts, rootName }: IndexTree): Promise<boolean> {
    const leaves = parts.filter(({ table }) => table.kind === 'table');
    const missing = leaves.filter(({ own }) => !own);
    for (const [position, { table }] of missing.entries()) {
      const child = childName(table, rootName);
      const there = table.indexes.find(({ name }) => name === child);
      // Our name is nobody else's: what has it is invalid, or was built for an earlier text of the statement.
      if (this.#built.has(table.oid))
        throw this.#error([lackOf(table, `Its index ${child} is not the one that was asked for. Drop it.`)]);
      await this.#sender.patiently(async () => {
        if (there) await this.#drop(table, there);
        await this.#sender.send(
          createIndex(this.#index, 'concurrently', escapeIdentifier(child), full(table, table.name)),
        );
      });
      this.#built.add(table.oid);
      const done = leaves.length - missing.length + position + 1;
      this.#tell(`${table.schema}.${table.name}`, done, leaves.length);
    }
    return missing.length > 0;
  }

  async #drop(table: Part['table'], index: Part['table']['indexes'][number]): Promise<void> {
    const dropped = await dropRemains(this.#execution.session, { ...index, schema: table.schema });
    const { name } = this.#file;
    const shown = hasValues(this.#statement) ? null : dropped;
    this.#execution.tell({ type: 'removed-remains', name, index: shown });
  }

  /** From the leaves up: a part becomes valid with its last part, and only then the next level may rely on it. */
  async #attachLoose({ parts }: IndexTree): Promise<boolean> {
    const loose = parts.filter(
      ({ table, own, parent }) =>
        own && parent && own.partOf !== parent.index.oid && !this.#attached.has(table.oid),
    );
    for (const { table, own, parent } of loose.toReversed()) {
      if (!own || !parent) continue;
      const whole = full(parent.table, parent.index.name);
      await this.#sender.briefly(() =>
        this.#sender.send(`alter index ${whole} attach partition ${full(table, own.name)}`),
      );
      this.#attached.add(table.oid);
    }
    return loose.length > 0;
  }

  #refuseForeign({ parts }: IndexTree): void {
    const foreign = parts.filter(({ table }) => table.kind === 'foreign');
    if (foreign.length === 0) return;
    const problem =
      'A foreign table has no indexes, and without one the index of the whole never becomes valid. Detach it, or build those of the other partitions one by one and then run CREATE INDEX on the whole, which passes foreign tables over.';
    throw this.#error(foreign.map(({ table }) => lackOf(table, problem)));
  }

  async #refuseIncomplete(): Promise<void> {
    const { root, parts } = await this.#tree();
    if (root?.isValid) return;
    const lacks = parts.flatMap(({ table, own, parent }) => {
      if (!own) return [lackOf(table, 'It has no such index.')];
      if (!own.isValid && parent)
        return [lackOf(table, `Its index ${own.name} is invalid. Rebuild it by REINDEX INDEX CONCURRENTLY.`)];
      if (parent && own.partOf !== parent.index.oid)
        return [lackOf(table, `Its index ${own.name} is not attached.`)];
      return [];
    });
    const [whole] = parts;
    const rest = whole
      ? [lackOf(whole.table, 'Its parts are complete, and it stays invalid. Drop it and run again.')]
      : [];
    throw this.#error(lacks.length > 0 ? lacks : rest);
  }

  #tell(partition: string, built: number, of: number): void {
    const shown = hasValues(this.#statement) ? null : partition;
    this.#execution.tell({ type: 'partition-index', name: this.#file.name, partition: shown, built, of });
  }

  #error(lacks: readonly Lack[]): PartitionedIndexError {
    return new PartitionedIndexError(this.#file, this.#statement, lacks, this.#execution);
  }
}

const PROBE = 'tombstone_probe';

const lacksFrame = ({ table, own }: Part): boolean => table.kind === 'partitioned' && !own;

const lackOf = ({ schema, name }: Part['table'], problem: string): Lack => ({
  table: `${schema}.${name}`,
  problem,
});
