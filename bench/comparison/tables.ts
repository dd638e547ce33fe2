import Table from 'cli-table3';
import type { Interval } from '../statistics.ts';
import type { Comparison } from './comparison.ts';
import type { Installed } from './packages.ts';
import type { Compared } from './rounds.ts';
import type { StartUp } from './start-up.ts';

const MB = 1_000_000;
const PLAIN = { head: [], border: [], compact: true };

const TITLE = `Throughput against pg (1.00); more is faster
* the library has no feature for it: statements by hand for each relation`;

/** The tables of a comparison: all ratios at once, each workload by itself, starting, installing. */
export function tablesOf({ measured, startUp, packages, settings }: Comparison): string {
  const tables = [
    ...(measured.length > 0 ? [TITLE, overview(measured), details(measured)] : []),
    ...(startUp.length > 0 ? ['From the first import to the first answer', starts(startUp)] : []),
    ...(packages.length > 0 ? ['What is installed', sizes(packages)] : []),
    settings,
  ];
  return tables.join('\n');
}

const show = ({ median, low, high }: Interval, digits = 2): string =>
  `${median.toFixed(digits)} (${low.toFixed(digits)} to ${high.toFixed(digits)})`;

/** One row for each way of each library, one column for each workload. */
function overview(measured: readonly Compared[]): string {
  const workloads = [...new Set(measured.map((one) => one.workload))];
  const variants = [...new Set(measured.map((one) => one.variant))];
  const table = new Table({ head: ['library', ...workloads], style: PLAIN });
  for (const variant of variants) {
    const cells = workloads.map((workload) => {
      const found = measured.find((one) => one.workload === workload && one.variant === variant);
      return found ? `${found.ratio.median.toFixed(2)}${found.byHand ? ' *' : ''}` : '–';
    });
    table.push([variant, ...cells]);
  }
  return table.toString();
}

function details(measured: readonly Compared[]): string {
  const head = ['workload', 'library', 'median µs', 'p99 µs', 'throughput, pg = 1.00'];
  const table = new Table({
    head: [...head, 'by processor time', 'processor µs', 'memory MB'],
    style: PLAIN,
  });
  for (const { workload, variant, median, p99, ratio, cpuRatio, cpu, rss } of measured) {
    const numbers = [cpu.toFixed(0), (rss / MB).toFixed(0)];
    table.push([
      workload,
      variant,
      median.toFixed(0),
      p99.toFixed(0),
      show(ratio),
      show(cpuRatio),
      ...numbers,
    ]);
  }
  return table.toString();
}

function starts(startUp: readonly StartUp[]): string {
  const table = new Table({ head: ['library', 'ms', 'processor ms', 'memory above Node, MB'], style: PLAIN });
  for (const { library, ms, cpuMs, rss } of startUp) {
    const memory = { median: rss.median / MB, low: rss.low / MB, high: rss.high / MB };
    table.push([library, show(ms, 0), show(cpuMs, 0), show(memory, 0)]);
  }
  return table.toString();
}

function sizes(packages: readonly Installed[]): string {
  const table = new Table({ head: ['library', 'packages', 'MB', 'versions'], style: PLAIN });
  for (const { library, count, bytes, versions } of packages) {
    const named = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
    table.push([library, count, (bytes / MB).toFixed(1), named.join(', ')]);
  }
  return table.toString();
}
