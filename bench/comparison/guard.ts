import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Throughput against `pg` by workload and library, as it was when somebody last looked at it. */
export type RecordedRatios = Readonly<Record<string, Readonly<Record<string, number>>>>;

/** One that was slower than it may be. */
export interface Slower {
  readonly workload: string;
  readonly library: string;
  readonly recorded: number;
  readonly measured: number;
}

const MOST = 1.5;
const TRIES = 3;

const RECORDED = fileURLToPath(new URL('recorded-ratios.json', import.meta.url));

export const readRecorded = (file = RECORDED): RecordedRatios =>
  JSON.parse(readFileSync(file, 'utf8')) as RecordedRatios;

export function writeRecorded(ratios: RecordedRatios, file = RECORDED): void {
  writeFileSync(file, `${JSON.stringify(ratios, null, 2)}\n`);
}

/**
 * Measures what is recorded, and again those that were more than 1.5 times slower than their record. Answers those that were
 * so three times in a row: other work on the machine seldom hits one library and spares the floor for so long.
 *
 * @throws Error when nothing is recorded, or a recorded ratio is not measured: a record like that guards nothing.
 */
export async function findSlower(
  recorded: RecordedRatios,
  measure: (workloads: readonly string[]) => Promise<RecordedRatios>,
): Promise<Slower[]> {
  let suspects: Slower[] = entriesOf(recorded);
  if (suspects.length === 0)
    throw new Error(
      'No ratio is recorded for the workloads that are asked for. Ask for W1 to W9, or record them.',
    );
  for (let attempt = 0; attempt < TRIES && suspects.length > 0; attempt += 1) {
    const measured = await measure([...new Set(suspects.map((one) => one.workload))]);
    suspects = suspects
      .map((one) => ({ ...one, measured: ratioOf(measured, one) }))
      .filter((one) => one.recorded / one.measured > MOST);
  }
  return suspects;
}

const entriesOf = (recorded: RecordedRatios): Slower[] =>
  Object.entries(recorded).flatMap(([workload, libraries]) =>
    Object.entries(libraries).map(([library, ratio]) => ({
      workload,
      library,
      recorded: ratio,
      measured: 0,
    })),
  );

function ratioOf(measured: RecordedRatios, { workload, library }: Slower): number {
  const ratio = measured[workload]?.[library];
  if (ratio !== undefined && ratio > 0) return ratio;
  throw new Error(
    `${library} has a recorded ratio for ${workload} that was not measured. Remove it from the file of recorded ratios.`,
  );
}
