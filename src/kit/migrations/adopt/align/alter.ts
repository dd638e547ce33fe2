import type { AlignStep } from './align-step.ts';
import { briefly } from './brief.ts';
import { lastOf } from './names.ts';

/** What gives a column its default, or takes it away. */
export const defaultSql = (name: string, value: string | undefined): string =>
  `ALTER COLUMN ${lastOf(name)} ${value === undefined ? 'DROP DEFAULT' : `SET DEFAULT ${value}`}`;

/** One ALTER TABLE that changes the catalogue only. */
export function alter(table: string, id: string, text: string, actions: readonly string[]): AlignStep {
  return {
    id,
    table,
    text,
    lock: 'ACCESS EXCLUSIVE',
    run: (context) =>
      briefly(context, {
        tables: [table],
        lock: 'ACCESS EXCLUSIVE',
        statements: actions.map((action) => `ALTER TABLE ${table} ${action}`),
      }),
  };
}
