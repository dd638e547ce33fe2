import type { BatchId } from './batch-id.ts';
import type { Run } from './catalogue.ts';
import type { DeletionGraph } from './graph.ts';
import { leftOf } from './batch-state.ts';
import { instantText } from './instant-sql.ts';

/**
 * What a restore would find: all rows as the batch left them, some of them restored, deleted again or removed since (`changed`),
 * all of them removed for good; or it was restored before. Live rows that stand in the way are told by `previewRestore` alone.
 */
export type BatchState = 'whole' | 'changed' | 'purged' | 'restored';

/** Rows of one table that fell in a batch. */
export interface FallenRows {
  readonly table: string;
  /** The class of the table; undefined where none is mapped to it any more. */
  readonly entity: string | undefined;
  readonly rows: number;
  /** Those of them that were deleted themselves, and not because of others. */
  readonly roots: number;
  /** Those of them that are as the batch left them. */
  readonly left: number;
}

/** A deletion, as a list shows it. Instants are ISO 8601 texts, since a Date has no microseconds. */
export interface BatchSummary {
  readonly batch: BatchId;
  readonly deletedAt: string;
  readonly actor: string | null;
  readonly reason: string | null;
  readonly tenant: string | null;
  readonly restoredAt: string | null;
  readonly restoredBy: string | null;
  readonly restoreReason: string | null;
  readonly state: BatchState;
  /** Tables with roots first. */
  readonly fell: readonly FallenRows[];
}

type Noted = Omit<BatchSummary, 'state' | 'fell'> & {
  readonly fell: readonly Pick<FallenRows, 'table' | 'rows' | 'roots'>[];
};

/** Reads batches, newest first, and looks at each of their rows. */
export async function summariesOf(
  run: Run,
  graph: DeletionGraph,
  batches: readonly BatchId[],
): Promise<BatchSummary[]> {
  if (batches.length === 0) return [];
  const noted = await run<Noted>(NOTED, [JSON.stringify(batches)]);
  const open = noted.filter(({ restoredAt }) => restoredAt === null);
  const names = new Set(open.flatMap(({ fell }) => fell.map(({ table }) => table)));
  const tables = [...names]
    .flatMap((name) => graph.tableNamed(name) ?? [])
    .filter(({ deletedAt }) => deletedAt !== undefined);
  const found = await leftOf(
    run,
    open.map(({ batch }) => batch),
    tables,
  );
  return noted.map((batch) => {
    const own = found.filter((one) => one.batch === batch.batch);
    const gone = own.reduce((sum, one) => sum + one.gone, 0);
    const fell = batch.fell.map((one): FallenRows => {
      const { rows, left } = own.find(({ table }) => table === one.table) ?? { rows: one.rows, left: 0 };
      return { ...one, entity: graph.tableNamed(one.table)?.entity, rows, left };
    });
    return { ...batch, fell, state: stateOf(batch, fell, gone) };
  });
}

function stateOf({ restoredAt }: Noted, fell: readonly FallenRows[], gone: number): BatchState {
  if (restoredAt !== null) return 'restored';
  const rows = fell.reduce((sum, one) => sum + one.rows, 0);
  if (gone === rows) return 'purged';
  return fell.every((one) => one.left === one.rows) ? 'whole' : 'changed';
}

const NOTED = `select b.id as batch, ${instantText('b.deleted_at')} as "deletedAt",
    b.actor, b.reason, b.tenant, ${instantText('b.restored_at')} as "restoredAt", b.restored_by as "restoredBy",
    b.restore_reason as "restoreReason", (
      select coalesce(json_agg(json_build_object('table', f.table_name, 'rows', f.rows, 'roots', f.roots)
        order by f.roots = 0, f.table_name), '[]')
      from (select e.table_name, sum(cardinality(e.keys))::int as rows,
          coalesce(sum(cardinality(e.keys)) filter (where e.edge = ''), 0)::int as roots
        from deletion_entries e where e.batch_id = b.id and e.kind = 'fell' group by e.table_name) f
    ) as fell
  from deletion_batches b where b.id in (select value::uuid from json_array_elements_text(?::json))
  order by b.deleted_at desc, b.id desc`;
