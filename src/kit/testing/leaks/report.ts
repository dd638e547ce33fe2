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

/** How many probes ended with each verdict. */
export interface LeakSums {
  readonly probes: number;
  readonly tight: number;
  readonly leaking: number;
  readonly broken: number;
  readonly vacuous: number;
  readonly notRun: number;
}

/** The report for machines: {@link LeakReport} as it is, and what a pipeline asks first. `format` counts breaking changes. */
export interface LeakReportJson extends LeakReport {
  readonly format: 1;
  /** No leak, nothing broken, no probe that proves nothing, no method that no probe knows. */
  readonly passed: boolean;
  readonly sums: LeakSums;
}

/** The report in the form that `JSON.stringify` writes; it holds names and verdicts, and no value of a row. */
export function leakReportJson(report: LeakReport): LeakReportJson {
  const { leaks, broken, vacuous, unknown } = report;
  const passed = [leaks, broken, vacuous, unknown].every((names) => names.length === 0);
  return { format: 1, passed, sums: sumsOf(report), ...report };
}

function sumsOf({ results, leaks, broken, vacuous }: LeakReport): LeakSums {
  return {
    probes: results.length,
    tight: results.filter(({ verdict }) => verdict === 'tight').length,
    leaking: leaks.length,
    broken: broken.length,
    vacuous: vacuous.length,
    notRun: results.filter(({ verdict }) => verdict === 'except').length,
  };
}

const MARK: Readonly<Record<Verdict, string>> = {
  tight: 'ok',
  leak: 'LEAK',
  broken: 'BROKEN',
  vacuous: 'proves nothing',
  except: 'not run',
};

/** The report as a table of text: a line per probe, and the sums. */
export function formatLeakReport(report: LeakReport): string {
  const { results, unknown, entities } = report;
  const width = Math.max(0, ...results.map((result) => result.name.length));
  const lines = results.map(({ name, verdict, note }) => {
    const reason = note ? `  (${note})` : '';
    return `${name.padEnd(width)}  ${MARK[verdict]}${reason}`;
  });
  const { probes, tight, leaking, broken, vacuous, notRun } = sumsOf(report);
  const sums =
    `${probes} probes over ${entities.length} entities: ${tight} tight, ${leaking} leaking, ` +
    `${broken} broken, ${vacuous} proving nothing, ${notRun} not run`;
  const strangers = unknown.map((method) => `${method}  UNKNOWN: no probe goes through this method`);
  return [...lines, ...strangers, sums].join('\n');
}
