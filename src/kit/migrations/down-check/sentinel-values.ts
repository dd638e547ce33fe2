import type { ColumnShape } from './table-shapes.ts';

/** `full` uses what a type can hold, such as every decimal and NULL in an array; `plain` what any narrower type holds too. */
export type Richness = 'full' | 'plain';

type Make = (n: number, richness: Richness, modifiers: readonly number[]) => string;

const TEXT: Make = (n, _richness, [length = 40]) => `sentinel ${n}`.slice(-length);
const WHOLE: Make = (n) => String(100 + n);
const INSTANT: Make = (n) => `2001-02-0${n} 03:04:05.678901+00`;

/** How a value of a type is written; distinct for each row. */
const BY_TYPE: Readonly<Record<string, Make>> = {
  smallint: WHOLE,
  integer: WHOLE,
  bigint: WHOLE,
  xid8: WHOLE,
  real: (n) => `${n}.5`,
  'double precision': (n) => `${n}.5`,
  numeric: (n, richness, [precision = 9, scale = 3]) => {
    if (richness === 'plain' || scale < 1) return precision > scale ? String(n) : '0';
    return `${precision > scale ? n : 0}.${String(n).padStart(scale, '0')}`;
  },
  text: TEXT,
  'character varying': TEXT,
  character: (n, richness, modifiers) => TEXT(n, richness, [modifiers[0] ?? 1]),
  citext: TEXT,
  boolean: (n) => (n % 2 === 0 ? 'f' : 't'),
  'timestamp with time zone': INSTANT,
  'timestamp without time zone': (n) => `2001-02-0${n} 03:04:05.678901`,
  date: (n) => `2001-02-0${n}`,
  'time without time zone': (n) => `03:04:0${n}`,
  'time with time zone': (n) => `03:04:0${n}+00`,
  interval: (n) => `${n} days 02:03:04`,
  uuid: (n) => `5e971e10-0000-4000-8000-00000000000${n}`,
  json: (n) => `{"sentinel": ${n}}`,
  jsonb: (n) => `{"sentinel": ${n}}`,
  bytea: (n) => `\\x5e0${n}`,
  inet: (n) => `192.0.2.${n}`,
  cidr: (n) => `192.0.2.${n}/32`,
  macaddr: (n) => `08:00:2b:01:02:0${n}`,
  money: (n) => `${n}.5`,
  point: (n) => `(${n},2)`,
  int4range: (n) => `[${n},9)`,
  int8range: (n) => `[${n},9)`,
  numrange: (n) => `[${n},9)`,
  daterange: (n) => `[2001-02-0${n},2001-03-01)`,
  tstzrange: (n) => `["2001-02-0${n} 00:00+00","2001-03-01 00:00+00")`,
  tsvector: (n) => `sentinel:${n}`,
};

/**
 * A value for a column, as text that the server casts; undefined for a type that nothing is known of.
 *
 * @param n the number of the row, from 1 to 9.
 */
export function sentinelFor(column: ColumnShape, n: number, richness: Richness): string | undefined {
  const one = scalarFor(column, n, richness);
  if (one === undefined || !column.isArray) return one;
  const element = `"${one.replace(/["\\]/g, String.raw`\$&`)}"`;
  return richness === 'full' ? `{${element},${element},NULL}` : `{${element}}`;
}

function scalarFor({ type, choices }: ColumnShape, n: number, richness: Richness): string | undefined {
  if (choices.length > 0) return choices[(n - 1) % choices.length];
  const [, name = type, modifiers = '', rest = ''] = /^(.+?)\(([\d,-]+)\)(.*)$/.exec(type) ?? [];
  return BY_TYPE[`${name}${rest}`]?.(n, richness, modifiers === '' ? [] : modifiers.split(',').map(Number));
}
