import { describe, expect, it } from '@jest/globals';
import { checkJsonObject } from '../../src/kit/input/index.ts';

const nested = (levels: number): object => (levels === 0 ? {} : { in: nested(levels - 1) });
const cycle: Record<string, unknown> = {};
cycle['self'] = cycle;

describe('checkJsonObject', () => {
  it.each<[string, object]>([
    ['nothing', {}],
    ['all that JSON knows', { a: null, b: true, c: 1.5, d: 'ä\u{1F600}', e: [1, [], { f: null }], '': 0 }],
    ['an object without a prototype', Object.assign(Object.create(null) as object, { a: 1 })],
    ['50 levels', nested(50)],
  ])('keeps %s', (_what, value) => {
    expect(JSON.stringify(checkJsonObject('extra', value))).toBe(JSON.stringify(value));
  });

  it('leaves out what is undefined, and takes a key for data whatever its name', () => {
    const value = JSON.parse('{"__proto__": {"a": 1}}') as Record<string, unknown>;
    const checked = checkJsonObject('extra', Object.assign({ b: undefined }, { c: value }));
    expect(JSON.stringify(checked)).toBe('{"c":{"__proto__":{"a":1}}}');
    expect(({} as { a?: number }).a).toBeUndefined();
  });

  it.each<[string, unknown]>([
    ['undefined', undefined],
    ['null', null],
    ['a list', []],
    ['a text', '{}'],
    ['a Map', new Map()],
    ['a Date inside', { a: new Date() }],
    ['an object of a class inside', { a: new URL('https://x.test') }],
    ['NaN', { a: [Number.NaN] }],
    ['Infinity', { a: Infinity }],
    ['a bigint', { a: 1n }],
    ['undefined in a list', { a: [undefined] }],
    ['a function', { a: () => 1 }],
    ['a NUL in a text', { a: 'x\0' }],
    ['a NUL in a key', { a: { 'x\0': 1 } }],
    ['half a character', { a: '\u{D800}' }],
    ['a cycle', cycle],
    ['200 levels', nested(200)],
  ])('refuses %s, and says nothing but the field', (_what, value) => {
    expect(() => checkJsonObject('extra', value)).toThrow(
      expect.objectContaining({
        code: 'VALIDATION',
        field: 'extra',
        message: expect.stringMatching(/^extra must /),
      }),
    );
  });
});
