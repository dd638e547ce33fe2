import { describeObject } from '../../drift/description.ts';
import type { SchemaDifference } from '../../drift/difference.ts';
import type { AlignStep, StepContext } from './align-step.ts';
import { briefly } from './brief.ts';
import { type ColumnDefinition, columnDefinition } from './column-definition.ts';
import { ensureConstraint } from './constraints.ts';
import type { Draft } from './draft.ts';
import { type Fill, fill } from './fill.ts';
import { lastOf, ownerOf, temporary } from './names.ts';
import type { TableFacts } from './table-facts.ts';

/** The steps after which a column takes no NULL; undefined when the difference was blocked. */
export async function planNotNull(
  draft: Draft,
  difference: SchemaDifference,
  expected: ColumnDefinition,
  facts: TableFacts,
): Promise<AlignStep[] | undefined> {
  const { name } = difference;
  const { session } = draft.request;
  const table = ownerOf(name);
  const [found] = await session.query<{ hasNulls: boolean }>(
    `select exists (select from ${table} where ${lastOf(name)} is null) as "hasNulls"`,
  );
  const value = expected.default;
  const required = requireValue(name, filling(name, value, facts, draft.isSmall(facts)));
  if (!found?.hasNulls || value === undefined) return [required];
  const task = filling(name, value, facts, draft.isSmall(facts));
  if (!task) return [required];
  if (task.key.length === 0 && !draft.isSmall(facts)) {
    draft.block(
      difference,
      'The column has NULLs, and the table has no key by which its rows could be gone through. Give it a primary key first.',
    );
    return undefined;
  }
  return [fillNulls(name, value, task), required];
}

function filling(
  name: string,
  value: string | undefined,
  facts: TableFacts,
  isSmallTable: boolean,
): Fill | undefined {
  if (value === undefined) return undefined;
  const column = lastOf(name);
  return {
    table: ownerOf(name),
    key: isSmallTable ? [] : facts.key,
    set: `${column} = ${value}`,
    where: `${column} is null`,
    isSilent: false,
    text: `Fill ${name}`,
    estimate: facts.rows,
  };
}

function fillNulls(name: string, value: string, task: Fill): AlignStep {
  return {
    id: `column ${name}: fill`,
    table: ownerOf(name),
    text: `Fill ${name} with its default ${value} where it is NULL, in batches`,
    lock: 'ROW EXCLUSIVE',
    run: (context) => fill(context, task),
  };
}

function requireValue(name: string, task: Fill | undefined): AlignStep {
  return {
    id: `column ${name}: forbid NULL`,
    table: ownerOf(name),
    text: `Forbid NULL in ${name}; its rows are read while the table is in use`,
    lock: 'ACCESS EXCLUSIVE',
    run: async (context) => {
      const now = columnDefinition((await describeObject(context.session, { kind: 'column', name })) ?? '');
      if (now.isNotNull) return;
      await forbidNull(context, name, task);
    },
  };
}

/** The check lets SET NOT NULL do without reading the table under its lock. */
async function forbidNull(context: StepContext, name: string, task: Fill | undefined): Promise<void> {
  const table = ownerOf(name);
  const column = lastOf(name);
  const check = temporary(column, 'not_null');
  const definition = `CHECK ((${column} IS NOT NULL))`;
  if (task) {
    // Programs may have written NULLs since they were filled; from here on they cannot.
    await ensureConstraint(context, `${table}.${check}`, `${definition} NOT VALID`);
    await fill(context, task);
  }
  await ensureConstraint(context, `${table}.${check}`, definition);
  await briefly(context, {
    tables: [table],
    lock: 'ACCESS EXCLUSIVE',
    statements: [
      `ALTER TABLE ${table} ALTER COLUMN ${column} SET NOT NULL`,
      `ALTER TABLE ${table} DROP CONSTRAINT ${check}`,
    ],
  });
}
