import { describe, expect, it } from '@jest/globals';
import { InvalidInputError } from 'tombstone';
import { checkEach } from '../../src/kit/input/index.ts';

const refused = (work: () => unknown): unknown => {
  try {
    return work();
  } catch (error) {
    return error;
  }
};

describe('items that are checked one by one', () => {
  it('are not named while all are right, and holes are checked, too', () => {
    const named: number[] = [];
    const nameOf = (index: number): string => (named.push(index), `items[${index}]`);
    // oxlint-disable-next-line no-sparse-arrays
    const items = ['a', , 'c'] as readonly (string | undefined)[];
    expect(checkEach(items, nameOf, (item) => item ?? 'none')).toEqual(['a', 'none', 'c']);
    expect(named).toEqual([]);
  });

  it('are refused by the name of the first one that is wrong', () => {
    const check = (item: number, name: string): number => {
      if (item < 0) throw new InvalidInputError(`${name}.amount`, 'be positive');
      return item;
    };
    const error = refused(() => checkEach([1, 2, -3, -4], (index) => `items[${index}]`, check));
    expect(error).toMatchObject({ field: 'items[2].amount', message: 'items[2].amount must be positive.' });
  });

  it('are looked at once where something else has failed', () => {
    let calls = 0;
    const failure = new TypeError('of the program');
    const check = (): never => {
      calls += 1;
      throw failure;
    };
    expect(refused(() => checkEach([1, 2], String, check))).toBe(failure);
    expect(calls).toBe(1);
  });
});
