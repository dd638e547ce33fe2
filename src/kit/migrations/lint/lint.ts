import { readFile } from 'node:fs/promises';
import type { ClientConfig } from 'pg';
import { type MigrationFile, type MigrationSource, loadMigrations } from '../files.ts';
import { find } from '../find-file.ts';
import { readLedger } from '../ledger.ts';
import { Session } from '../session.ts';
import { loadParser, treesOf } from './build.ts';
import { type Catalogue, readCatalogue } from './catalogue.ts';
import { uncoveredKeys } from './foreign-keys.ts';
import type { LintFinding } from './rule.ts';
import { CATALOGUE_RULES } from './rules/catalogue.ts';
import { LINT_RULES } from './rules/index.ts';
import { type Waiver, waiversIn } from './waiver.ts';

/** Rules about the file itself, which no waiver lifts. */
export const FILE_RULES = {
  L001: {
    severity: 'error',
    sentence: 'A waiver says why, or the next reader cannot judge it.',
    alternative: 'Write "-- +tombstone waive RULE: reason".',
  },
  L002: {
    severity: 'error',
    sentence: 'This waiver waives nothing.',
    alternative: 'Remove it, or correct the id of its rule.',
  },
  L003: {
    severity: 'warning',
    sentence: 'The parser of PostgreSQL 18 does not know this statement, so no rule has seen it.',
    alternative: 'Correct it, or have it reviewed.',
  },
  L901: {
    severity: 'warning',
    sentence: 'Something in this file is allowed and probably not meant.',
    alternative: 'Read the note, and write what is meant.',
  },
} as const;

/** Where {@link lintMigrations} may look beside the files. */
export interface LintOptions {
  /** A database to which the pending files would be applied. It is only read. */
  readonly connection?: string | ClientConfig;
}

/**
 * Checks the Up of migration files against the rules, and the Down against those about what fails there too. A database is asked only when one is named, and then about pending files:
 * for one that is applied it says what came of it, not what it met.
 *
 * @param names the files to check, all when empty.
 * @throws MigrationError when a file cannot be read, or the database does not answer.
 */
export async function lintMigrations(
  sources: readonly MigrationSource[],
  names: readonly string[] = [],
  { connection }: LintOptions = {},
): Promise<LintFinding[]> {
  const files = await loadMigrations(sources);
  const chosen = names.length === 0 ? files : [...new Set(names.map((name) => find(files, name)))];
  const parse = await loadParser();
  const trees = treesByFile(files, new Set(chosen.map(({ module }) => module)), parse);
  const live = connection === undefined ? undefined : await lookAt(connection);
  const found: LintFinding[] = [];
  for (const file of chosen) {
    const text = await readFile(file.path, 'utf8');
    const catalogue = live?.applied.has(file.name) ? undefined : live?.catalogue;
    found.push(
      ...afterWaivers(
        file,
        findingsOf({ ...(trees.get(file) as FileTree), catalogue }, downOf(file, parse, catalogue)),
        waiversIn(text),
        catalogue !== undefined,
      ),
    );
  }
  return found;
}

/** The ledger, so that pending files are known, and what rules ask of the catalogue. */
async function lookAt(
  connection: string | ClientConfig,
): Promise<{ readonly applied: ReadonlySet<string>; readonly catalogue: Catalogue }> {
  const session = await Session.open(connection);
  try {
    await session.prepare();
    const applied = new Set((await readLedger(session)).map(({ filename }) => filename));
    return { applied, catalogue: await readCatalogue(session) };
  } catch (error) {
    throw session.explain(error);
  } finally {
    await session.close();
  }
}

type FileTree = ReturnType<typeof treesOf>;

/** Every file of the modules: what one lacks a later one may bring. */
function treesByFile(
  files: readonly MigrationFile[],
  modules: ReadonlySet<string>,
  parse: Awaited<ReturnType<typeof loadParser>>,
): ReadonlyMap<MigrationFile, FileTree> {
  const trees = new Map<MigrationFile, FileTree>();
  for (const module of modules) {
    const own = files.filter((file) => file.module === module).map((file) => treesOf(file, parse));
    const uncovered = uncoveredKeys(own.flatMap(({ statements }) => statements));
    for (const tree of own) trees.set(tree.file, { ...tree, uncovered });
  }
  return trees;
}

function downOf(
  file: MigrationFile,
  parse: Awaited<ReturnType<typeof loadParser>>,
  catalogue: Catalogue | undefined,
): FileTree {
  return { ...treesOf({ ...file, up: file.down ?? [] }, parse), catalogue };
}

/** Rules about what fails or misleads in a Down too; that a Down locks and loses is what it is for. */
const DOWN_RULES = new Set(['L104', 'L105', 'L109', 'L503', 'L510', 'L511', 'L513', 'L606', 'L802']);

function brokenIn(tree: FileTree, isInDown: boolean): LintFinding[] {
  const rules = isInDown ? LINT_RULES.filter(({ id }) => DOWN_RULES.has(id)) : LINT_RULES;
  return tree.statements.flatMap((statement) =>
    rules.flatMap((rule) => {
      const about = rule.check(statement, tree);
      if (about === undefined) return [];
      const { id, severity, sentence, alternative } = rule;
      const { line } = statement;
      return [{ file: tree.file.name, line, rule: id, severity, isInDown, about, sentence, alternative }];
    }),
  );
}

function findingsOf(tree: FileTree, down: FileTree): LintFinding[] {
  const { file } = tree;
  return [
    ...brokenIn(tree, false),
    ...brokenIn(down, true),
    ...down.unparsed.map(({ line }) => ({ ...fileFinding(file, 'L003', line, ''), isInDown: true })),
    ...tree.unparsed.map(({ line }) => fileFinding(file, 'L003', line, '')),
    ...file.notes.map(({ line, text }) => fileFinding(file, 'L901', line, text)),
  ].toSorted((a, b) => a.line - b.line);
}

/** Rules that once reached further: a waiver from then may stand in an applied file, which cannot be edited. */
const NARROWED = new Set(['L511']);

/** A waiver lifts its rule for the whole file; one that is wrong is a finding itself. */
function afterWaivers(
  file: MigrationFile,
  found: readonly LintFinding[],
  waivers: readonly Waiver[],
  isAsked: boolean,
): LintFinding[] {
  const lifted = new Set(waivers.filter(({ reason }) => reason !== '').map(({ rule }) => rule));
  const wrong = waivers.flatMap(({ line, rule, reason }) => {
    if (reason === '') return [fileFinding(file, 'L001', line, rule)];
    // Without a database its rules are silent, and a waiver of one cannot be judged.
    const isSilent = CATALOGUE_RULES.some(({ id }) => id === rule) && !isAsked;
    if (isSilent || NARROWED.has(rule)) return [];
    return found.some((each) => each.rule === rule) ? [] : [fileFinding(file, 'L002', line, rule)];
  });
  return [...found.filter(({ rule }) => !lifted.has(rule)), ...wrong].toSorted((a, b) => a.line - b.line);
}

function fileFinding(
  file: MigrationFile,
  rule: keyof typeof FILE_RULES,
  line: number,
  about: string,
): LintFinding {
  return { file: file.name, line, rule, isInDown: false, about, ...FILE_RULES[rule] };
}
