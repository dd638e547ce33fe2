import { setTimeout as sleep } from 'node:timers/promises';
import { keyOf } from '../drift/difference.ts';
import type { Session } from '../session.ts';
import type { StepContext } from './align/align-step.ts';
import { isLockFailure } from './align/brief.ts';
import type { DataRule } from './adoption.ts';
import type { Simulated } from './simulated.ts';

/** A rule, and how many rows it will change; undefined while a column is still to come that it names. */
export interface OpenRule {
  readonly rule: DataRule;
  readonly rows: number | undefined;
}

/** The rules that find something to change, or may when the schema is aligned. */
export async function openRules(
  session: Session,
  rules: readonly DataRule[],
  live: Simulated,
  target: Simulated,
): Promise<OpenRule[]> {
  const open: OpenRule[] = [];
  for (const rule of rules) {
    if (names(rule, live)) {
      const [row] = await session.query<{ rows: string }>(
        `select count(*) as rows from (${rule.left}) as rows_left`,
      );
      const rows = Number(row?.rows ?? 0);
      if (rows > 0) open.push({ rule, rows });
    } else if (rule.when === 'after' && names(rule, target)) open.push({ rule, rows: undefined });
  }
  return open;
}

const names = ({ columns }: DataRule, schema: Simulated): boolean =>
  columns.every((name) => schema.get(keyOf({ kind: 'column', name })) !== undefined);

const KEYS = 'pg_temp.tombstone_adopt_keys';
const WINDOW = 5000;
const ATTEMPTS = 50;

/** A walk through rows by their keys. */
export type Walk = Pick<DataRule, 'left' | 'statement' | 'name'>;

/** A program may store such rows faster than the table is read: it has to be stopped then, or what it stores stays. */
const PASSES = 10;

/**
 * Goes through the rows that are to be changed, in windows of their keys, a transaction a window: what is done stays done, and a
 * run that was killed finds what is left. Again, as long as a program that still runs has stored more of them, and not for ever.
 *
 * @returns whether nothing was left at the end.
 */
export async function applyRule(rule: Walk, context: StepContext): Promise<boolean> {
  const { session } = context;
  for (let pass = 0; pass < PASSES; pass += 1) {
    // Looking for them may read the whole table, so that it is done once for all windows.
    await session.run(
      `drop table if exists ${KEYS}; create temporary table tombstone_adopt_keys (key) as ${rule.left}`,
    );
    await session.run(`create index on ${KEYS} (key); analyze ${KEYS}`);
    const found = await walk(rule, context);
    await session.run(`drop table ${KEYS}`);
    if (found === 0) return true;
  }
  return false;
}

async function walk(rule: Walk, { session, tell }: StepContext): Promise<number> {
  const [all] = await session.query<{ rows: number }>(`select count(*)::int as rows from ${KEYS}`);
  const estimate = all?.rows ?? 0;
  let rows = 0;
  for (let cursor: string | null = null; rows < estimate;) {
    const window: Window = await nextWindow(session, cursor);
    if (window.upper === null) break;
    await inWindow(session, rule, window);
    cursor = window.upper;
    rows += window.rows;
    tell({ type: 'adoption-rows', text: rule.name, rows, estimate });
  }
  return estimate;
}

interface Window {
  readonly lower: string | null;
  readonly upper: string | null;
  readonly rows: number;
}

async function nextWindow(session: Session, cursor: string | null): Promise<Window> {
  const behind = cursor === null ? '' : 'where key > $1';
  const [window] = await session.query<Window>(
    `select min(key)::text as lower, max(key)::text as upper, count(*)::int as rows
     from (select key from ${KEYS} ${behind} order by key limit ${WINDOW}) as batch`,
    cursor === null ? [] : [cursor],
  );
  return window as Window;
}

/** A statement by itself is a transaction; a deadlock with a program takes it back, and it is run again. */
async function inWindow(session: Session, { statement }: Walk, { lower, upper }: Window): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await session.change(statement, [lower, upper]);
      return;
    } catch (error) {
      if (!isLockFailure(error) || attempt >= ATTEMPTS) throw error;
      await sleep(Math.min(20 * attempt, 500) * (0.5 + Math.random()));
    }
  }
}
