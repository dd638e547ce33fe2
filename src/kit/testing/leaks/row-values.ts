import { randomUUID } from 'node:crypto';
import type { EntityProperty } from '@mikro-orm/core';

let counter = 0;

/**
 * A value that the column takes, different at every call, as SQL text for a parameter. Columns that can do without one
 * (nullable, defaulted, generated) get none: `undefined`.
 */
export function valueFor(prop: EntityProperty): string | undefined {
  counter += 1;
  if (prop.enum && prop.items?.length) return String(prop.items[0]);
  const type = (prop.columnTypes?.[0] ?? prop.type).toLowerCase();
  if (type.includes('uuid')) return randomUUID();
  if (type.endsWith('[]')) return '{}';
  if (type.includes('json')) return '{}';
  if (/int|serial|numeric|decimal|double|real|float/.test(type)) return String(numberFor(type));
  if (type.includes('bool')) return 'false';
  if (/^(timestamp|date)/.test(type)) return '2001-02-03T04:05:06Z';
  if (type.startsWith('time')) return '04:05:06';
  if (type.startsWith('interval')) return '1 hour';
  if (type.includes('bytea')) return String.raw`\x00`;
  return textFor(prop);
}

/** Whether an INSERT must name the column. */
export function needsValue(prop: EntityProperty): boolean {
  const given =
    prop.autoincrement || prop.generated || prop.default !== undefined || prop.defaultRaw !== undefined;
  return prop.primary ? !prop.autoincrement && !prop.defaultRaw : !prop.nullable && !given;
}

function numberFor(type: string): number {
  return type.includes('smallint') || type.includes('int2') ? counter % 30_000 : 1_000_000 + counter;
}

function textFor({ length }: EntityProperty): string {
  const text = `canary ${counter}`;
  return length && length < text.length ? counter.toString(36).slice(-length) : text;
}
