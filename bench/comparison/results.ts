import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Comparison } from './comparison.ts';
import { PEERS_FOLDER } from './install-peers.ts';
import type { Bar } from './library.ts';

const RESULTS = fileURLToPath(new URL('../results', import.meta.url));

type Draw = (title: string, bars: readonly Bar[]) => string;

/** Writes `comparison.json` and a chart of each workload to `bench/results`. Answers what it has written, as a sentence. */
export async function writeResults(comparison: Comparison, environment: string): Promise<string> {
  mkdirSync(RESULTS, { recursive: true });
  const json = `${JSON.stringify({ environment, ...comparison }, null, 2)}\n`;
  writeFileSync(join(RESULTS, 'comparison.json'), json);
  const draw = await loadCharts();
  if (!draw)
    return 'bench/results has the JSON file; there are no charts, because the peers are not installed.';
  const workloads = new Set(comparison.measured.map((one) => one.workload));
  for (const workload of workloads) {
    const own = comparison.measured.filter((one) => one.workload === workload);
    const bars = own.map(({ variant, ratio }) => ({ name: variant, ...ratio }));
    writeFileSync(join(RESULTS, `${workload}.svg`), draw(`${workload}: throughput, pg = 1.00`, bars));
  }
  return `bench/results has the JSON file and ${workloads.size} charts.`;
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
