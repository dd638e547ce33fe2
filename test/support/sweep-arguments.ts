/** An argument of a method, or a field of an object that is one: a value that is fine, and those that must be refused. */
export interface Argument {
  readonly valid: unknown;
  readonly malformed: readonly unknown[];
}

/** In every value that must not be seen; malformed ones hold it, too, where they are texts. */
export const SECRET = 'SWEEP-SECRET';

const NO_IDS = [
  '1e3',
  '9223372036854775808',
  '1.0',
  ' 1',
  '0x1',
  '1; drop table users',
  SECRET,
  1,
  1n,
  {},
  ['1'],
  true,
  0,
  false,
  Number.NaN,
];
const ABSENT_IDS = ['0', '-1', '', null, undefined];
const NO_TEXTS = [
  `${SECRET}\0`,
  `${SECRET}\ud800`,
  `\udc00${SECRET}`,
  5,
  {},
  ['a'],
  true,
  0,
  false,
  Symbol.iterator,
];
const NO_AMOUNTS = [
  'NaN',
  'Infinity',
  '-Infinity',
  '1e3',
  '1E-3',
  '',
  '1.',
  '.5',
  '0x10',
  '1,5',
  ' 1',
  '9'.repeat(40),
  1,
  1n,
  Number.NaN,
  {},
  0,
  false,
];
const NO_INTEGERS = [
  Number.NaN,
  Number.POSITIVE_INFINITY,
  1.5,
  2 ** 31,
  -(2 ** 31) - 1,
  '5',
  5n,
  {},
  null,
  '',
  false,
];

export const id = (valid: unknown): Argument => ({ valid, malformed: [...NO_IDS, ...ABSENT_IDS] });

/** Absent, empty, zero and negative mean "none". */
export const optionalId = (valid: unknown): Argument => ({ valid, malformed: NO_IDS });

export const ids = (valid: unknown, { nullable = false } = {}): Argument => ({
  valid,
  malformed: ['1', 1, {}, ...(nullable ? [] : [null]), ...NO_IDS.map((value) => ['1', value])],
});

interface TextOptions {
  readonly max?: number;
  /** '' is refused. */
  readonly filled?: boolean;
  /** Null, and with it undefined, means something. */
  readonly nullable?: boolean;
}

export const text = (valid: unknown, { max, filled, nullable }: TextOptions = {}): Argument => ({
  valid,
  malformed: [
    ...NO_TEXTS,
    // Counted in characters, of which each of these has two units.
    ...(max ? [SECRET + '😀'.repeat(max + 1 - SECRET.length)] : []),
    ...(filled ? [''] : []),
    ...(nullable ? [] : [null]),
  ],
});

/** A filter of a list: what is empty, zero or absent means "all". */
export const filter = (valid: unknown): Argument => ({ valid, malformed: NO_TEXTS.filter(Boolean) });

export const amount = (valid: unknown, { nullable = false, decimals = 10 } = {}): Argument => ({
  valid,
  malformed: [...NO_AMOUNTS, `0.${'0'.repeat(decimals)}1`, ...(nullable ? [] : [null])],
});

export const integer = (valid: unknown): Argument => ({ valid, malformed: NO_INTEGERS });
export const flag = (valid: boolean): Argument => ({ valid, malformed: ['true', 1, null, {}] });

/** A filter by one of a few words: '' and null mean "all". */
export const wordFilter = (valid: string): Argument => ({
  valid,
  malformed: word(valid).malformed.filter((value) => value !== '' && value !== null),
});

/** One of a few words. */
export const word = (valid: string): Argument => ({
  valid,
  malformed: ['', 'other', 'toString', '__proto__', 5, null],
});

export const list = (valid: unknown, malformed: readonly unknown[]): Argument => ({ valid, malformed });

/** Of one element. */
export const listOf = ({ valid, malformed }: Argument): Argument => ({
  valid: [valid],
  malformed: [null, undefined, 1, {}, ...malformed.map((element) => [element])],
});

/** Takes everything: what is out of range is brought into it. */
export const clamped = (valid: unknown): Argument => ({ valid, malformed: [] });

/** An object with fields; without it, nothing can be meant. */
export function object(fields: Readonly<Record<string, Argument>>): Argument {
  const valid = Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, field.valid]));
  const malformed = Object.entries(fields).flatMap(([name, field]) =>
    // An optional field is left out by undefined.
    field.malformed
      .filter((value) => value !== undefined || name === 'id' || name === 'userId')
      .map((value) => ({ ...valid, [name]: value })),
  );
  return { valid, malformed: [null, undefined, ...malformed] };
}

/** An object of filters, which may be empty. */
export function filters(fields: Readonly<Record<string, Argument>>): Argument {
  const { valid, malformed } = object(fields);
  return { valid, malformed: malformed.filter((value) => value !== undefined) };
}

/** Options, which may be left out. */
export const options = (valid: object, malformed: readonly object[]): Argument => ({
  valid,
  malformed: [null, 5, 'options', true, ...malformed],
});
