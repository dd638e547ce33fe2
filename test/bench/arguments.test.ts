import { describe, expect, it } from '@jest/globals';
import { readArguments } from '../../bench/arguments.ts';

describe('the arguments of the bench', () => {
  it('without --growth, one size, and callers and libraries only where they are asked for', () => {
    const plain = readArguments([]);
    expect(plain).toMatchObject({
      growth: false,
      rounds: 30,
      scale: 1,
      scales: [1],
      callers: [],
      libraries: [],
    });
    const given = readArguments('--scale 10 --callers 8,32 --libraries kysely --rounds 7'.split(' '));
    expect(given).toMatchObject({ scale: 10, callers: [8, 32], libraries: ['kysely'], rounds: 7 });
  });

  it('of growth: sizes, callers, libraries and rounds of its own, and shorter ones in the short form', () => {
    const libraries = ['pg', 'mikro-plain', 'tombstone', 'tombstone-orm'];
    expect(readArguments(['--growth'])).toMatchObject({
      growth: true,
      rounds: 9,
      scales: [1, 10, 100],
      callers: [1, 8, 32, 128],
      libraries: [...libraries, 'drizzle'],
    });
    // A library of bench/peers would be installed first.
    expect(readArguments(['--growth', '--quick'])).toMatchObject({
      scales: [1, 2],
      callers: [1, 4],
      libraries,
    });
  });

  it('takes other sizes, ascending and each once', () => {
    const given = readArguments(
      '--growth --scale 10,1,10 --callers 64,2 --rounds 3 --libraries pg'.split(' '),
    );
    expect(given).toMatchObject({
      scale: 1,
      scales: [1, 10],
      callers: [2, 64],
      rounds: 3,
      libraries: ['pg'],
    });
  });

  it.each([
    [['--scale', '1,10'], '--scale takes several sizes with --growth only.'],
    [['--scale', ''], '--scale needs a whole number above 0.'],
    [['--growth', '--scale', '1,x'], '--scale needs a whole number above 0.'],
    [['--growth', '--callers', '0'], '--callers needs a whole number above 0.'],
    [['--growth', '--rounds', '1.5'], '--rounds needs a whole number above 0.'],
  ])('refuses %j', (argv, sentence) => {
    expect(() => readArguments(argv)).toThrow(new TypeError(sentence));
  });
});
