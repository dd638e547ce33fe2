import type { Workload } from './measure.ts';

/** Ids of an answer: one row, a list of rows, or a list with its total. */
function identity(answer: unknown): unknown {
  if (Array.isArray(answer)) return answer.map(identity);
  if (typeof answer === 'object' && answer !== null && 'id' in answer) return String(answer.id);
  return answer;
}

/**
 * Checks that all variants of a workload give the same rows, live ones only, or leave the same behind where they write.
 *
 * @throws Error naming the workload: a ratio between different answers would mean nothing.
 */
export async function verify({ name, variants, ...workload }: Workload): Promise<void> {
  for (const index of [0, 1, 17]) {
    const answers: unknown[] = [];
    for (const variant of variants) {
      const prepared = await variant.prepare?.(index);
      const work = (): Promise<unknown> => variant.run(index, prepared);
      answers.push(workload.witness ? await workload.witness(work) : await work());
    }
    const [floor, ...others] = answers;
    const expected = JSON.stringify(identity(floor));
    if (expected === undefined || !others.every((answer) => JSON.stringify(identity(answer)) === expected)) {
      throw new Error(
        `The variants of ${name} do not give the same rows. Correct the workload before timing it.`,
      );
    }
  }
}
