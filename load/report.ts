import Table from 'cli-table3';
import type { Checked } from './invariants/index.ts';
import type { LoadOptions } from './options.ts';
import type { LoadRun } from './run.ts';
import { percentilesOf } from './samples.ts';

/** One operation of all processes; latencies in milliseconds. */
export interface OperationReport {
  readonly count: number;
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  /** Answers that are part of the business, by code; those of the warm-up too, as `errors`. */
  readonly answers: Readonly<Record<string, number>>;
  readonly errors: Readonly<Record<string, number>>;
}

/** What `--json` prints. */
export interface LoadReport extends LoadOptions {
  readonly environment: string;
  readonly warmUpSeconds: number;
  readonly measuredSeconds: number;
  /** Whole requests, from the key to the charge. */
  readonly throughput: number;
  readonly p50: number;
  readonly p99: number;
  readonly errors: number;
  /** Broken by the server in the whole run; each made a caller wait for `deadlock_timeout`. */
  readonly deadlocks: number;
  readonly messages: readonly string[];
  readonly operations: Readonly<Record<string, OperationReport>>;
  readonly invariants: readonly Checked[];
  readonly holds: boolean;
}

/** The operation that the numbers at the top are of. */
const WHOLE = 'request';

export function reportOf(run: LoadRun, options: LoadOptions, environment: string): LoadReport {
  const names = [...new Set(run.results.flatMap(({ measured }) => Object.keys(measured)))];
  const operations = Object.fromEntries(names.map((name) => [name, operationOf(run, name)]));
  const errors = sum(Object.values(operations).flatMap((operation) => Object.values(operation.errors)));
  const { perSecond = 0, p50 = 0, p99 = 0 } = operations[WHOLE] ?? {};
  const { warmUpSeconds, measuredSeconds, checked } = run;
  const { seconds, callers, processes, connections, seed, quick } = options;
  return {
    environment,
    seconds,
    callers,
    processes,
    connections,
    seed,
    quick,
    warmUpSeconds,
    measuredSeconds: rounded(measuredSeconds),
    throughput: perSecond,
    p50,
    p99,
    errors,
    deadlocks: run.deadlocks,
    messages: [...new Set(run.results.flatMap(({ messages }) => messages))],
    operations,
    invariants: checked,
    holds: errors === 0 && perSecond > 0 && checked.every(({ holds }) => holds),
  };
}

function operationOf({ results, measuredSeconds }: LoadRun, name: string): OperationReport {
  const parts = results.flatMap(({ measured }) => measured[name] ?? []);
  const latencies = parts.map((part) => part.latencies);
  const count = sum(latencies.map(({ length }) => length));
  const { p50, p99, max } = percentilesOf(latencies);
  return {
    count,
    perSecond: rounded(count / measuredSeconds),
    p50: rounded(p50),
    p99: rounded(p99),
    max: rounded(max),
    answers: added(parts.map(({ answers }) => answers)),
    errors: added(parts.map(({ failed }) => failed)),
  };
}

function added(parts: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const all: Record<string, number> = {};
  for (const [code, count] of parts.flatMap((part) => Object.entries(part)))
    all[code] = (all[code] ?? 0) + count;
  return all;
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
const rounded = (value: number): number => Math.round(value * 100) / 100;

/** For people: two tables, and a line that says how it ended. */
export function textOf(report: LoadReport): string {
  const style = { head: [], border: [] };
  const operations = new Table({
    head: ['operation', 'calls', 'per second', 'p50 ms', 'p99 ms', 'max ms', 'expected answers', 'errors'],
    style,
  });
  const byCount = Object.entries(report.operations).toSorted(([, a], [, b]) => b.count - a.count);
  for (const [name, { count, perSecond, p50, p99, max, answers, errors }] of byCount) {
    const numbers = [perSecond, p50, p99, max].map((value) => value.toFixed(1));
    operations.push([name, count, ...numbers, listed(answers), listed(errors) || '0']);
  }
  const invariants = new Table({ head: ['invariant', 'holds', 'numbers'], style });
  for (const { name, holds, numbers } of report.invariants) {
    invariants.push([name, holds ? 'yes' : 'NO', listed(numbers)]);
  }
  return [operations.toString(), invariants.toString(), ...report.messages, conclusionOf(report)].join('\n');
}

const listed = (values: Readonly<Record<string, number | string>>): string =>
  Object.entries(values)
    .map(([name, value]) => `${name} ${value}`)
    .join('\n');

function conclusionOf({
  throughput,
  p50,
  p99,
  errors,
  deadlocks,
  invariants,
  callers,
  processes,
  connections,
  environment,
  seed,
}: LoadReport): string {
  const holding = invariants.filter(({ holds }) => holds).length;
  return [
    `${throughput} requests a second, p50 ${p50} ms, p99 ${p99} ms, ${errors} errors, ${deadlocks} deadlocks; ${holding} of ${invariants.length} invariants hold.`,
    `${callers} callers in ${processes} processes with ${connections} connections, seed ${seed}; ${environment}`,
  ].join('\n');
}
