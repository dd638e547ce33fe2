import {
  type AdoptionPlan,
  type AdoptionState,
  describeDifference,
  type HeldLock,
} from '../kit/migrations/index.ts';
import { table } from './table.ts';

const STATES: Readonly<Record<AdoptionState, string>> = {
  empty: 'empty: every file is run',
  complete: 'a complete database of the original',
  partial: 'a partial database of the original: what is missing is made',
  legacy: 'tables without a ledger: what is missing is made',
  newer: 'a database of a newer original',
  changed: 'a database whose ledger has a file of another text',
  begun: 'an adoption that was interrupted: it goes on',
  ours: 'a database with a history of its own: "migrate up" applies what is pending',
  foreign: 'a database with the ledger of another tool',
};

/** The plan for people: what the database is, what stands against it, what would be done, and what stays. */
export function showPlan(plan: AdoptionPlan, say: (line: string) => void): void {
  const { state, signs, blockers, steps, waiting, kept, warnings } = plan;
  say(`This is ${STATES[state]}.`);
  for (const sign of signs) say(`  ${sign}`);
  for (const warning of warnings) say(`Note: ${warning}`);
  for (const { kind, text, query } of blockers) {
    say(`Against it (${kind}): ${text}`);
    if (query !== undefined) say(`  ${query}`);
  }
  if (steps.length > 0) say(table(['step', 'table', 'lock', 'rows', 'what'], grouped(steps)));
  if (kept.length > 0) say(`Kept as they are, ${kept.length} objects that the files do not make:`);
  for (const each of kept)
    say(
      each.expected === undefined
        ? `  ${each.kind} ${each.name}`
        : describeDifference(each).replace(/^/gm, '  '),
    );
  if (waiting.length > 0)
    say(
      `Left for later: ${waiting.join(', ')}. When no program that needs what it takes away runs any more: "tombstone migrate up".`,
    );
}

type Step = AdoptionPlan['steps'][number];

/** A line a step; files that are only recorded, one after the other, share one. */
function grouped(steps: readonly Step[]): string[][] {
  const lines: string[][] = [];
  for (let index = 0; index < steps.length; index += 1) {
    const { kind, text, table: name, lock, rows } = steps[index] as Step;
    const after = steps.slice(index).findIndex((step) => step.kind !== 'record');
    const count = kind === 'record' ? (after < 0 ? steps.length - index : after) : 1;
    const last = index + count;
    lines.push([
      count > 1 ? `${index + 1}-${last}` : String(last),
      name ?? '',
      lock ?? '',
      rows === undefined ? '' : String(rows),
      count > 1 ? `record ${count} files to ${steps[last - 1]?.file}: what they make is there` : text,
    ]);
    index = last - 1;
  }
  return lines;
}

/** How long tables were locked at most, the longest first. */
export function showLocks(locks: readonly HeldLock[], say: (line: string) => void): void {
  const shown = locks.filter(({ lock }) => lock !== 'ROW EXCLUSIVE' && lock !== 'none');
  if (shown.length === 0) return;
  say('The longest that a table was locked, in milliseconds (at most: the whole file took so long):');
  const rows = shown.map(({ table: name, lock, ms, isAtMost }) => [
    name,
    lock,
    `${isAtMost ? 'at most ' : ''}${ms.toFixed(0)}`,
  ]);
  say(table(['table', 'lock', 'ms'], rows));
}
