/**
 * `tight`: the dead row was not met; `leak`: it was; `broken`: the verb failed with an error that is no answer to a dead
 * row; `vacuous`: not even with the guard off does the probe meet it; `except`: not run, for the reason in the note.
 */
export type Verdict = 'tight' | 'leak' | 'broken' | 'vacuous' | 'except';

export interface ProbeResult {
  readonly name: string;
  readonly entity: string;
  readonly verb: string;
  readonly verdict: Verdict;
  readonly note?: string;
}

/**
 * What {@link runLeakSuite} found. `leaks`, `broken` and `vacuous` name probes, `unknown` names methods of the ORM that no
 * probe is known for; all four must be empty.
 */
export interface LeakReport {
  readonly results: readonly ProbeResult[];
  readonly leaks: readonly string[];
  readonly broken: readonly string[];
  readonly vacuous: readonly string[];
  readonly unknown: readonly string[];
  readonly entities: readonly string[];
}

const MARK: Readonly<Record<Verdict, string>> = {
  tight: 'ok',
  leak: 'LEAK',
  broken: 'BROKEN',
  vacuous: 'proves nothing',
  except: 'not run',
};

/** The report as a table of text: a line per probe, and the sums. */
export function formatLeakReport({ results, leaks, broken, vacuous, unknown, entities }: LeakReport): string {
  const width = Math.max(0, ...results.map((result) => result.name.length));
  const lines = results.map(({ name, verdict, note }) => {
    const reason = note ? `  (${note})` : '';
    return `${name.padEnd(width)}  ${MARK[verdict]}${reason}`;
  });
  const tight = results.filter((result) => result.verdict === 'tight').length;
  const except = results.filter((result) => result.verdict === 'except').length;
  const sums =
    `${results.length} probes over ${entities.length} entities: ${tight} tight, ${leaks.length} leaking, ` +
    `${broken.length} broken, ${vacuous.length} proving nothing, ${except} not run`;
  const strangers = unknown.map((method) => `${method}  UNKNOWN: no probe goes through this method`);
  return [...lines, ...strangers, sums].join('\n');
}
