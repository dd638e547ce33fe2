import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Comparison } from './comparison.ts';
import { growthBars } from './growth-tables.ts';
import { PEERS_FOLDER } from './install-peers.ts';
import type { Bar } from './library.ts';
import type { Growth } from './run-growth.ts';

const RESULTS = fileURLToPath(new URL('../results', import.meta.url));

type Draw = (title: string, bars: readonly Bar[]) => string;

/** Writes `comparison.json` and a chart of each workload to `bench/results`. Answers what it has written, as a sentence. */
export async function writeResults(comparison: Comparison, environment: string): Promise<string> {
  const workloads = new Set(comparison.measured.map((one) => one.workload));
  const charts = [...workloads].map((workload) => {
    const own = comparison.measured.filter((one) => one.workload === workload);
    const bars = own.map(({ variant, ratio }) => ({ name: variant, ...ratio }));
    return { file: workload, title: `${workload}: throughput, pg = 1.00`, bars };
  });
  return write('comparison.json', { environment, ...comparison }, charts);
}

/** The same of growth: `growth.json`, and `growth-W1.svg` and so on. */
export async function writeGrowth(growth: Growth, environment: string): Promise<string> {
  const workloads = new Set(growth.measured.map((one) => one.workload));
  const charts = [...workloads].map((workload) => ({
    file: `growth-${workload}`,
    title: `${workload}: throughput by rows (×) and by callers, pg at the same size = 1.00`,
    bars: growthBars(growth, workload),
  }));
  return write('growth.json', { environment, ...growth }, charts);
}

interface Chart {
  readonly file: string;
  readonly title: string;
  readonly bars: readonly Bar[];
}

async function write(file: string, results: object, charts: readonly Chart[]): Promise<string> {
  mkdirSync(RESULTS, { recursive: true });
  writeFileSync(join(RESULTS, file), `${JSON.stringify(results, null, 2)}\n`);
  const draw = await loadCharts();
  if (!draw) return `bench/results has ${file}; there are no charts, because the peers are not installed.`;
  for (const { file: name, title, bars } of charts)
    writeFileSync(join(RESULTS, `${name}.svg`), draw(title, bars));
  return `bench/results has ${file} and ${charts.length} charts.`;
}

/** The library that draws belongs to `bench/peers`, so that nobody else has to install it. */
async function loadCharts(): Promise<Draw | undefined> {
  try {
    const { drawChart } = (await import(join(PEERS_FOLDER, 'charts.ts'))) as { drawChart: Draw };
    return drawChart;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_MODULE_NOT_FOUND') return undefined;
    throw error;
  }
}
