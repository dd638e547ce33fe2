import { tokens } from '../src/kit/migrations/lexer.ts';
import { parseMigration } from '../src/kit/migrations/index.ts';

/** Compares parsing with lexing alone, and shows the memory of both: `node --expose-gc bench/parse-migrations.ts [MB]`. */
const megabytes = Number(process.argv[2] ?? 20);

const STATEMENTS = [
  'CREATE TABLE IF NOT EXISTS accounts_%d (\n  id bigserial PRIMARY KEY, -- the key\n  name varchar(255) NOT NULL\n);\n',
  "INSERT INTO accounts_%d (name) VALUES ('it''s; one'), ('two');\n",
  'CREATE FUNCTION f_%d() RETURNS int LANGUAGE plpgsql AS $$\nBEGIN\n  RETURN 1; -- ;\nEND\n$$;\n',
  '/* why; */ ALTER TABLE accounts_%d ADD COLUMN note text DEFAULT $tag$a;b$tag$;\n',
];

function sample(size: number): string {
  const parts = ['-- +goose Up\n'];
  for (let length = 0, index = 0; length < size; index += 1) {
    const statement = (STATEMENTS[index % STATEMENTS.length] as string).replace('%d', String(index));
    parts.push(statement);
    length += statement.length;
  }
  return parts.join('');
}

function best(work: () => unknown): { ms: number; kept: number } {
  let ms = Infinity;
  let kept = 0;
  for (let round = 0; round < 5; round += 1) {
    globalThis.gc?.();
    const before = process.memoryUsage().heapUsed;
    const start = performance.now();
    const results = [work()];
    ms = Math.min(ms, performance.now() - start);
    globalThis.gc?.();
    kept = process.memoryUsage().heapUsed - before;
    // Taken out only here, so that it is not collected before it is measured.
    if (results.pop() === undefined) throw new Error('nothing was read');
  }
  return { ms, kept };
}

const text = sample(megabytes * 1_000_000);
const lexed = best(() => {
  let count = 0;
  for (const token of tokens(text)) count += token.end - token.start;
  return count;
});
const parsed = best(() => parseMigration('bench/001_sample.sql', text));
process.stdout.write(
  `${JSON.stringify({
    megabytes,
    lexMs: Math.round(lexed.ms),
    parseMs: Math.round(parsed.ms),
    ratio: Number((parsed.ms / lexed.ms).toFixed(2)),
    parseKeepsMb: globalThis.gc ? Math.round(parsed.kept / 1_000_000) : undefined,
    peakRssMb: Math.round(process.resourceUsage().maxRSS / 1000),
  })}\n`,
);
