import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Random } from '../crash/random.ts';
import type { MigrationSource } from '../src/kit/migrations/index.ts';

/** A generated module in a temporary folder. */
export interface GeneratedModule extends MigrationSource {
  /** Paths in the order in which they run. */
  readonly paths: readonly string[];
  readonly statements: number;
  delete(): void;
}

/**
 * Writes files in the shapes that a long history by many hands has: shared and lettered numbers, a second stream that sorts
 * behind every digit, `_notx` names, no annotations, DO blocks, functions with tags of their own, comments that end in
 * semicolons. The same seed writes the same files. Each file adds its name to the table `audit`.
 */
export function generateFiles(
  count: number,
  statements: number,
  options: { notx?: boolean; seed?: number } = {},
): GeneratedModule {
  const random = new Random(options.seed ?? 1);
  const root = mkdtempSync(join(tmpdir(), 'tombstone-generated-'));
  const migrations = join(root, 'legacy');
  mkdirSync(migrations);
  const names = namesOf(count, random, options.notx ?? true);
  const history = new History(random);
  let left = statements;
  for (const [index, name] of names.entries()) {
    const files = names.length - index;
    // Two files of seven hold a single statement, as in such directories.
    const wanted = index % 7 < 2 && left - 1 >= files - 1 ? 1 : Math.ceil(left / files);
    const size = files === 1 ? left : Math.max(1, wanted);
    writeFileSync(join(migrations, name), history.file(name, size));
    left -= size;
  }
  return {
    name: 'legacy',
    migrations,
    migrationOrder: 'filename',
    paths: names.map((name) => join(migrations, name)),
    statements,
    delete: () => rmSync(root, { recursive: true, force: true }),
  };
}

function namesOf(count: number, random: Random, notx: boolean): string[] {
  const names = new Set<string>(['001_init.sql']);
  for (let at = 2; names.size < count; at += 1) {
    const number = String(at % 300).padStart(3, '0');
    const letter = random.below(12) === 0 ? 'ab'.charAt(random.below(2)) : '';
    const stream = at >= 300 ? 'tk_' : '';
    names.add(`${stream}${number}${letter}_change_${at}${notx && at % 23 === 0 ? '_notx' : ''}.sql`);
    if (random.below(8) === 0 && names.size < count) names.add(`${stream}${number}_other_${at}.sql`);
  }
  return [...names].toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

/** What the files so far have made, so that the next ones fit. */
class History {
  readonly #random: Random;
  readonly #tables: string[] = [];
  #next = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  file(name: string, size: number): string {
    const audit = `INSERT INTO audit (name) VALUES ('${name}');`;
    const table = `CREATE TABLE audit AS SELECT '${name}'::text AS name;`;
    if (name === '001_init.sql') return this.#text(name, [table], size);
    return this.#text(name, [audit], size);
  }

  #text(name: string, beginning: readonly string[], size: number): string {
    const statements = [...beginning];
    const make = name.endsWith('_notx.sql') ? () => this.#concurrent() : () => this.#statement();
    while (statements.length < size) statements.push(make());
    return `-- ${name}: Änderung; nicht die letzte;\n${statements.join('\n\n')}\n`;
  }

  #concurrent(): string {
    const table = this.#table();
    if (!table) return this.#createTable();
    return `CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_${this.#id()} ON ${table} (owner, id DESC);`;
  }

  #statement(): string {
    const table = this.#table();
    const kinds: readonly (() => string)[] = [
      () => this.#createTable(),
      () =>
        `ALTER TABLE ${table}\n  ADD COLUMN IF NOT EXISTS extra_${this.#id()} varchar(64) NOT NULL DEFAULT ''; -- new; empty at first`,
      () => `CREATE INDEX IF NOT EXISTS idx_${this.#id()} ON ${table} (owner) WHERE deleted_at IS NULL;`,
      () => `COMMENT ON TABLE ${table} IS 'für alle; auch die, die "später" kommen';`,
      () => `UPDATE ${table} SET note = $t$ab;c$t$ WHERE owner IS NULL;`,
      () => `SET LOCAL lock_timeout = '5s';`,
      () =>
        `INSERT INTO ${table} (owner, note) SELECT n, 'it''s; ' || n FROM generate_series(1, 3) n ON CONFLICT DO NOTHING;`,
      () => this.#block(),
      () => this.#routine(),
    ];
    return table ? (kinds[this.#random.below(kinds.length)] as () => string)() : this.#createTable();
  }

  #createTable(): string {
    const table = `t_${this.#id()}`;
    this.#tables.push(table);
    return `CREATE TABLE IF NOT EXISTS ${table} (\n  id bigserial PRIMARY KEY,\n  owner bigint,\n  note text, /* a note; /* nested; */ */\n  deleted_at timestamptz\n);`;
  }

  #block(): string {
    const id = this.#id();
    return `DO $migration$\nBEGIN\n  IF NOT EXISTS (SELECT 1 FROM pg_class WHERE relname = 'block_${id}') THEN\n    EXECUTE 'CREATE TABLE block_${id} (id bigint); COMMENT ON TABLE block_${id} IS ''built; here''';\n  END IF;\nEND\n$migration$;`;
  }

  #routine(): string {
    return `CREATE OR REPLACE FUNCTION f_${this.#id()}(value bigint) RETURNS bigint AS $$\nBEGIN\n  -- one; two;\n  RETURN value + 1;\nEND;\n$$ LANGUAGE plpgsql;`;
  }

  #table(): string | undefined {
    return this.#tables[this.#random.below(this.#tables.length)];
  }

  #id(): number {
    this.#next += 1;
    return this.#next;
  }
}
