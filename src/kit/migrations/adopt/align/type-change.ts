/** What it takes to make values of one type values of another. */
export interface TypeChange {
  /** Whether the server changes its catalogue only: no row is read, no index built. */
  readonly isBrief: boolean;
  /** Whether a value that stands in `column` would be lost, or changed, or refused; undefined where none can be. */
  isLost?(column: string): string;
}

interface Type {
  readonly name: string;
  readonly numbers: readonly number[];
}

const FORM = /^(?<name>[a-z ]+?)(?:\((?<numbers>[\d,-]+)\))?(?<tail> with(?:out)? time zone)?$/;

function typeOf(text: string): Type | undefined {
  const parts = FORM.exec(text)?.groups;
  if (!parts) return undefined;
  return {
    name: `${parts['name']}${parts['tail'] ?? ''}`,
    numbers: parts['numbers']?.split(',').map(Number) ?? [],
  };
}

const RANGES: Readonly<Record<string, readonly [lowest: string, highest: string]>> = {
  smallint: ['-32768', '32767'],
  integer: ['-2147483648', '2147483647'],
  bigint: ['-9223372036854775808', '9223372036854775807'],
};
const WHOLE = Object.keys(RANGES);
const TEXTS = new Set(['character varying', 'text']);
/** Types whose one number is a number of decimals of seconds. */
const TIMES = new Set([
  'timestamp with time zone',
  'timestamp without time zone',
  'time without time zone',
  'time with time zone',
]);

/** Undefined for a change that no rule here knows to be safe: a person has to say what becomes of the values. */
export function typeChange(from: string, to: string): TypeChange | undefined {
  const [before, after] = [typeOf(from), typeOf(to)];
  if (!before || !after) return undefined;
  if (TEXTS.has(before.name) && TEXTS.has(after.name)) return ofTexts(before, after);
  if (after.name === 'numeric') return toNumeric(before, after);
  if (WHOLE.includes(after.name)) return toWhole(before, after);
  if (before.name === after.name && TIMES.has(after.name)) return ofTimes(before, after);
  if (from === 'json' && to === 'jsonb')
    return { isBrief: false, isLost: (column) => `${column}::text like '%\\u0000%'` };
  return undefined;
}

function ofTexts(before: Type, after: Type): TypeChange {
  const [longest] = after.numbers;
  const [was] = before.numbers;
  if (longest === undefined || (was !== undefined && was <= longest)) return { isBrief: true };
  return { isBrief: false, isLost: (column) => `length(${column}) > ${longest}` };
}

function ofTimes(before: Type, after: Type): TypeChange {
  const [decimals = 6] = after.numbers;
  const [were = 6] = before.numbers;
  if (were <= decimals) return { isBrief: true };
  const type = after.name.replace(/^(time(?:stamp)?)/, `$1(${decimals})`);
  return { isBrief: false, isLost: (column) => `${column} <> ${column}::${type}` };
}

function toNumeric(before: Type, after: Type): TypeChange | undefined {
  const isNumeric = before.name === 'numeric';
  const isReal = before.name === 'real' || before.name === 'double precision';
  if (!isNumeric && !isReal && !WHOLE.includes(before.name)) return undefined;
  const [precision, scale = 0] = after.numbers;
  if (precision === undefined) return isReal ? { isBrief: false, isLost: notFinite } : { isBrief: isNumeric };
  const [was, wasScale = 0] = before.numbers;
  if (isNumeric && was !== undefined && scale === wasScale && was <= precision) return { isBrief: true };
  const isWider = isNumeric && was !== undefined && scale >= wasScale && precision - scale >= was - wasScale;
  if (isWider) return { isBrief: false };
  const limit = `1e${precision - scale}::numeric`;
  const lost = (column: string): string =>
    `(abs(round(${column}::numeric, ${scale})) >= ${limit} or ${column}::numeric <> round(${column}::numeric, ${scale}))`;
  if (!isReal) return { isBrief: false, isLost: lost };
  return {
    isBrief: false,
    isLost: (column) => `(case when ${notFinite(column)} then true else ${lost(column)} end)`,
  };
}

const notFinite = (column: string): string => `${column}::float8 in ('NaN', 'Infinity', '-Infinity')`;

function toWhole(before: Type, after: Type): TypeChange | undefined {
  const [lowest, highest] = RANGES[after.name] as [string, string];
  const isWhole = WHOLE.includes(before.name);
  if (!isWhole && before.name !== 'numeric') return undefined;
  if (isWhole && WHOLE.indexOf(before.name) <= WHOLE.indexOf(after.name)) return { isBrief: false };
  const fits = (column: string): string => `${column} between ${lowest} and ${highest}`;
  if (isWhole) return { isBrief: false, isLost: (column) => `not (${fits(column)})` };
  return {
    isBrief: false,
    isLost: (column) => `(${column} = 'NaN' or not (${fits(column)}) or ${column} <> trunc(${column}))`,
  };
}
