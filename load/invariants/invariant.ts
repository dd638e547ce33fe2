import type { Evidence } from '../evidence.ts';

/** What a check has counted and added up; sums are decimal texts. */
export type Numbers = Readonly<Record<string, number | string>>;

export interface Finding {
  readonly holds: boolean;
  readonly numbers: Numbers;
}

/** Something that must be true of a database, whatever ran at the same time. */
export interface Invariant {
  readonly name: string;
  /** As a sentence: what would be wrong if it did not hold. */
  readonly claim: string;
  check(evidence: Evidence): Promise<Finding>;
}

/** The single row of a statement that counts. */
export async function numbersOf<Name extends string>(
  { rows }: Evidence,
  sql: string,
): Promise<Record<Name, number> & Record<`sumOf${string}`, string>> {
  const [row] = await rows<Record<string, string | number>>(sql);
  const entries = Object.entries(row ?? {}).map(([name, value]) => [
    name,
    name.startsWith('sumOf') ? String(value) : Number(value),
  ]);
  return Object.fromEntries(entries) as never;
}
