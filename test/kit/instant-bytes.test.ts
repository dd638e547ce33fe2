import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { assert, date, nat, property } from 'fast-check';
import { runPrepared } from 'tombstone';
import { instantAt } from '../../src/kit/orm/instant-bytes.ts';
import { storedInstant } from '../../src/kit/orm/stored-instant.ts';
import { type Library, openLibrary } from './fixtures/library.ts';

let library: Library;
beforeAll(async () => {
  library = await openLibrary();
});
afterAll(() => library.close());

const read = (text: string): Date | undefined =>
  instantAt(Buffer.from(`??${text}!`, 'latin1'), 2, text.length);

it('reads an instant of any day and fraction as the platform reads its text', () => {
  const days = date({
    min: new Date('0100-01-01'),
    max: new Date('9999-12-31T23:59:59.999Z'),
    noInvalidDate: true,
  });
  assert(
    property(days, nat(6), nat(999), (day, digits, micros) => {
      const [seconds, fraction = ''] = day.toISOString().slice(0, -1).replace('T', ' ').split('.');
      const shown = `${fraction}${String(micros).padStart(3, '0')}`.slice(0, digits);
      const text = `${seconds}${shown && '.'}${shown}+00`;
      expect(read(text)).toEqual(new Date(text));
    }),
    { numRuns: 5000 },
  );
});

const TEXTS = [
  '2024-02-29 23:59:59.999999+00',
  '2000-02-29 00:00:00+00',
  '1900-03-01 00:00:00+00',
  '0001-01-01 00:00:00+00',
  '0099-12-31 23:59:59.5+00',
  '0100-01-01 00:00:00+00',
  '0044-03-15 12:00:00+00 BC',
  '10000-01-01 00:00:00+00',
  '294276-12-30 23:59:59.999999+00',
  'infinity',
  '-infinity',
];
/** Years from 100 to 9999. */
const USUAL = /^(?!00)\d{4}-.*\+00$/;
const ZONES = ['UTC', 'Europe/Berlin', 'Asia/Kolkata', 'America/St_Johns'];
const STYLES = ['ISO', 'SQL', 'German', 'Postgres'];

it.each(ZONES.flatMap((zone) => STYLES.map((style) => [zone, style] as const)))(
  'reads what PostgreSQL writes in %s in the style %s as it reads the text',
  async (zone, style) => {
    const statement = {
      name: `kit_instant_${zone}_${style}`.toLowerCase().replaceAll(/\W/g, '_'),
      text: `select t::timestamptz as instant, t::timestamptz::timestamp as local, t::timestamptz::text as text
        from unnest($1::text[]) with ordinality as x (t, n) order by n`,
    };
    const rows = await library.em().transactional(async (em) => {
      await em.execute(`set local time zone '${zone}'; set local datestyle to ${style}`);
      const ask = (readsDates: boolean) =>
        runPrepared<{ instant: string | Date; local: unknown; text: string }>(
          em,
          { ...statement, readsDates },
          [TEXTS],
        );
      // The first call describes the columns; the other reads them as texts, by one and the same name.
      return [await ask(true), await ask(false), await ask(true)] as const;
    });
    const [first, texts, dates] = rows;
    expect(texts.map(({ instant }) => instant)).toEqual(texts.map(({ text }) => text));
    for (const answer of [first, dates]) {
      expect(answer.map(({ instant }) => storedInstant(instant).getTime())).toEqual(
        texts.map(({ text }) => storedInstant(text).getTime()),
      );
      // What no digits are read of is left to whoever asks, as it stands.
      const isUsual = zone === 'UTC' && style === 'ISO';
      expect(answer.map(({ instant }) => instant instanceof Date)).toEqual(
        TEXTS.map((text) => isUsual && USUAL.test(text)),
      );
      expect(answer.map(({ local }) => local)).toEqual(texts.map(({ local }) => local));
    }
  },
);
