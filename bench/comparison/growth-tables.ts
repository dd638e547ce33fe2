import Table from 'cli-table3';
import type { Bar } from './library.ts';
import type { Grown, Growth } from './run-growth.ts';

/** What a library reached at one size. */
export interface Cell {
  /** Throughput against the floor at the same size. */
  readonly ratio: number;
  /** Throughput against its own at the smallest size. */
  readonly relative: number;
}

/** One workload of one library; a size at which it did not run has no cell. */
export interface Line {
  readonly workload: string;
  readonly library: string;
  readonly cells: readonly (Cell | undefined)[];
}

type SizeOf = (one: Grown) => number;

/** The lines by the length of the tables, for one caller. */
export const linesByRows = ({ measured, scales }: Growth): Line[] =>
  linesOf(
    measured.filter((one) => one.callers === 1),
    scales,
    (one) => one.scale,
  );

/** The lines by the number of callers, on the shortest tables. */
export const linesByCallers = ({ measured, scales, callers }: Growth): Line[] =>
  linesOf(
    measured.filter((one) => one.scale === scales[0]),
    callers,
    (one) => one.callers,
  );

/** A workload that ran at one size only has not grown. */
function linesOf(measured: readonly Grown[], sizes: readonly number[], sizeOf: SizeOf): Line[] {
  const names = new Map(measured.map((one) => [JSON.stringify([one.workload, one.variant]), one]));
  return [...names.values()]
    .map(({ workload, variant }) => {
      const own = measured.filter((one) => one.workload === workload && one.variant === variant);
      return { workload, library: variant, cells: cellsOf(own, sizes, sizeOf) };
    })
    .filter(({ cells }) => cells.filter(Boolean).length > 1);
}

function cellsOf(own: readonly Grown[], sizes: readonly number[], sizeOf: SizeOf): (Cell | undefined)[] {
  const found = sizes.map((size) => own.find((one) => sizeOf(one) === size));
  const smallest = found[0]?.throughput ?? Number.NaN;
  return found.map((one) => one && { ratio: one.ratio.median, relative: one.throughput / smallest });
}

const TITLE = 'throughput against pg at the same size, and after × against its own at the smallest size';

/** A table for the rows and one for the callers, each where more than one size was asked for, and what was left out. */
export function growthTables(growth: Growth): string {
  const rows = linesByRows(growth);
  const callers = linesByCallers(growth);
  const times = growth.scales.map((scale) => `${scale} x the rows`);
  const counts = growth.callers.map((count) => (count === 1 ? '1 caller' : `${count} callers`));
  return [
    ...(rows.length > 0 ? [`One caller: ${TITLE}`, tableOf(rows, times)] : []),
    ...(callers.length > 0 ? [`The shortest tables: ${TITLE}`, tableOf(callers, counts)] : []),
    'Left out:',
    ...growth.leftOut,
    ...growth.settings,
  ].join('\n');
}

function tableOf(lines: readonly Line[], sizes: readonly string[]): string {
  const table = new Table({
    head: ['workload', 'library', ...sizes],
    style: { head: [], border: [], compact: true },
  });
  for (const { workload, library, cells } of lines)
    table.push([workload, library, ...sizes.map((_, n) => show(cells[n]))]);
  return table.toString();
}

const show = (cell: Cell | undefined): string =>
  cell ? `${cell.ratio.toFixed(2)}  ×${cell.relative.toFixed(2)}` : '–';

/** The chart of a workload: each library at each size, but for the floor, which is the line at 1. */
export function growthBars({ measured }: Growth, workload: string): Bar[] {
  const own = measured.filter((one) => one.workload === workload && one.variant !== measured[0]?.variant);
  const libraries = [...new Set(own.map((one) => one.variant))];
  return libraries.flatMap((library) =>
    own
      .filter((one) => one.variant === library)
      .toSorted((a, b) => a.scale - b.scale || a.callers - b.callers)
      .map(({ scale, callers, ratio }) => ({
        name: `${library} ${callers === 1 ? `×${scale}` : `by ${callers}`}`,
        ...ratio,
      })),
  );
}
