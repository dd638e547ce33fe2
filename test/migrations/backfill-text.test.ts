import { describe, expect, it } from '@jest/globals';
import { backfillFile, backfillSetup, COPY, ONCE } from './fixtures/backfill.ts';
import { refusal } from './fixtures/shop.ts';

describe('the text of a back-fill', () => {
  it.each([
    ['key=id,other', /cut by one column/],
    ['key=id batch=0', /batch= takes/],
    ['key=id batch=many', /batch= takes/],
    ['key=id throttle=fast', /throttle= takes/],
    ['key=id throttle=0%', /throttle= takes/],
    ['key=id throttle=101%', /throttle= takes/],
    ['key=id max-lag=soon', /max-lag= takes/],
    ['key=id max-lag=50%', /max-lag= takes/],
    ['key=id passes=11', /passes= takes/],
    ['key=id speed=9', /"speed" is no option/],
    ['key=id key=id', /Write for example/],
    ['key=id batch', /Write for example/],
    ['', /key= takes the name/],
    ['key="open', /Write for example/],
  ])('is refused with the options table=items %s', async (options, problem) => {
    const made = await backfillSetup(5);
    const text = backfillFile();
    made.folder.write('002_copy.sql', text.replace('key=id batch=10', options));
    const error = await refusal(made.migrator().up());
    expect([error.code, error.message]).toEqual(['MIGRATION.SYNTAX', expect.stringMatching(problem)]);
    expect(error.message).toMatch(/^shop\/002_copy\.sql:4:1: /);
    expect(await made.tables()).toEqual([]);
  });

  const head = '-- +goose NO TRANSACTION\n-- +goose Up\n';
  const fill = '-- +tombstone backfill table=items key=id\n';
  it.each([
    ['in a transactional file', `-- +goose Up\n${fill}${COPY}\n${ONCE}`, /NO TRANSACTION" at the top/],
    ['without a verification', `${head}${fill}${COPY}\n`, /verified in both directions/],
    [
      'verified in one direction',
      `${head}${fill}${COPY}\n-- +tombstone verify missing\nselect 1;`,
      /verified in both/,
    ],
    ['that only reads', `${head}${fill}select $1, $2;\n${ONCE}`, /one INSERT, UPDATE, DELETE or MERGE/],
    [
      'without its bounds',
      `${head}${fill}delete from items where id > $1;\n${ONCE}`,
      /\$1 and the last one as \$2/,
    ],
    [
      'with a third parameter',
      `${head}${fill}delete from items where id between $1 and $2 + $3;\n${ONCE}`,
      /as \$2/,
    ],
    [
      'with a bound in a literal',
      `${head}${fill}delete from items where id > $1 and '$2' = '';\n${ONCE}`,
      /as \$2/,
    ],
    [
      'of two statements',
      `${head}${fill}-- +goose StatementBegin\n${COPY} ${COPY}\n-- +goose StatementEnd\n${ONCE}`,
      /one statement/,
    ],
    [
      'inside a transaction',
      `${head}begin;\n${fill}${COPY}\n${ONCE}\ncommit;`,
      /Move it out of the transaction/,
    ],
    ['above nothing', `${head}select 1;\n${fill}`, /no statement of its own below/],
    ['above another directive', `${head}${fill}${fill}${COPY}\n${ONCE}`, /no statement of its own below/],
    ['inside a statement', `${head}select\n${fill}1;`, /above its statement/],
    ['behind a statement', `${head}select 1; ${fill}${COPY}\n${ONCE}`, /above its statement/],
    ['indented', `${head} ${fill}${COPY}\n${ONCE}`, /in column 1/],
    [
      'whose verification writes',
      `${head}${fill}${COPY}\n-- +tombstone verify different\ndelete from items;`,
      /one SELECT/,
    ],
    [
      'whose verification has a bound',
      `${head}${fill}${COPY}\n-- +tombstone verify different\nselect $1;`,
      /no parameters/,
    ],
    [
      'whose verification says no side',
      `${head}${fill}${COPY}\n-- +tombstone verify\nselect 1;`,
      /Say what a row of this SELECT is/,
    ],
    [
      'whose verification is alone',
      `${head}-- +tombstone verify missing\nselect 1;`,
      /right below its back-fill/,
    ],
    [
      'that is mistyped',
      `${head}-- +tombstone backfil table=items key=id\n${COPY}`,
      /"backfil" is no directive/,
    ],
  ])('is refused %s', async (_what, text, problem) => {
    const made = await backfillSetup(5);
    made.folder.write('002_copy.sql', text);
    const error = await refusal(made.migrator().up());
    expect([error.code, error.message]).toEqual(['MIGRATION.SYNTAX', expect.stringMatching(problem)]);
    expect(await made.tables()).toEqual([]);
  });

  it('may stand behind a byte order mark', async () => {
    const made = await backfillSetup(5);
    made.folder.write('002_copy.sql', `\uFEFF-- +tombstone phase=migrate\n${backfillFile()}`);
    expect((await made.migrator().up()).steps).toHaveLength(2);
  });

  it('is data where it stands in a literal', async () => {
    const made = await backfillSetup(5);
    made.folder.write('002_copy.sql', `-- +goose Up\nselect '\n-- +tombstone backfill nonsense\n';`);
    expect((await made.migrator().up()).steps).toHaveLength(2);
  });
});
