import { keyOf } from '../drift/difference.ts';
import type { Session } from '../session.ts';
import type { StepContext } from './align/align-step.ts';
import type { DataRule } from './adoption.ts';
import type { Simulated } from './simulated.ts';

const BATCH = 5000;

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

/**
 * Goes through the table by its key, a transaction a window: what is done stays done, and a killed run begins again from the
 * first key, where it finds nothing to change.
 */
export async function applyRule(rule: DataRule, { session, tell }: StepContext): Promise<void> {
  const { table, key, name } = rule;
  let rows = 0;
  let cursor: string | null = null;
  for (;;) {
    const window = await nextWindow(session, rule, cursor);
    if (window.upper === null) return;
    await inWindow(session, rule, window);
    cursor = window.upper;
    rows += window.rows;
    tell({ type: 'adoption-rows', text: `${name} (${table}.${key})`, rows, estimate: undefined });
  }
}

interface Window {
  readonly lower: string | null;
  readonly upper: string | null;
  readonly rows: number;
}

async function nextWindow(
  session: Session,
  { table, key }: DataRule,
  cursor: string | null,
): Promise<Window> {
  const behind = cursor === null ? '' : `where ${key} > $1`;
  const [window] = await session.query<Window>(
    `select min(key)::text as lower, max(key)::text as upper, count(*)::int as rows
     from (select ${key} as key from ${table} ${behind} order by ${key} limit ${BATCH}) as batch`,
    cursor === null ? [] : [cursor],
  );
  return window as Window;
}

/** A deadlock with the application takes back the window, which is then run again. */
async function inWindow(session: Session, { statement }: DataRule, { lower, upper }: Window): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await session.change(statement, [lower, upper]);
      return;
    } catch (error) {
      const code = (error as { code?: string }).code ?? '';
      if (!['40P01', '55P03'].includes(code) || attempt >= 10) throw error;
    }
  }
}
