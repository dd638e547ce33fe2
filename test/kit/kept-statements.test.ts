import type { Platform } from '@mikro-orm/core';
import { PostgreSqlPlatform } from '@mikro-orm/postgresql';
import { expect, it } from '@jest/globals';
import { StatementBinder } from '../../src/kit/orm/statement-binder.ts';
import { MAX_TEXT, StatementTemplates } from '../../src/kit/orm/statement-template.ts';

// What is kept of statements has a bound, in their number and in their length.

const platform = new PostgreSqlPlatform() as Platform;
const text = (length: number): string => `select '${'x'.repeat(length)}' from bed where id = ?`;

it('a text that is longer than statements are is not kept, and goes as the core sends it', () => {
  const binder = new StatementBinder(platform);
  for (let time = 0; time < 3; time += 1) expect(binder.bind(text(MAX_TEXT), [1])).toBeUndefined();
  expect(binder.bind(text(100), [1])?.name).toBeUndefined();
  expect(binder.bind(text(100), [1])?.name).toMatch(/^ts_/);
});

it('a template that was pushed out by a thousand others is made anew', () => {
  const templates = new StatementTemplates(platform);
  const first = templates.read(text(1), [1])?.template;
  expect(templates.read(text(1), [1])?.template).toBe(first);
  for (let n = 2; n < 1010; n += 1) templates.read(text(n), [1]);
  expect(templates.read(text(1), [1])?.template).not.toBe(first);
});
