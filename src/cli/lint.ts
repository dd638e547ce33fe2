import type { Command } from 'commander';
import { type LintFinding, lintMigrations } from '../kit/migrations/index.ts';
import { readModules } from './configuration.ts';
import { EXIT } from './exit-codes.ts';
import { common, type CommonOptions, say } from './open.ts';
import { readTarget } from './target.ts';

/** Adds `migrate lint`, which reads files, and asks a database only when told to. */
export function addLint(migrate: Command): void {
  common(
    migrate.command('lint [files...]').description('check files against the rules of docs/migration-lint.md'),
  )
    .option('--database', 'ask the database of DATABASE_URL too, about pending files; it is only read')
    .action(lint);
}

async function lint(
  files: string[],
  options: CommonOptions & { readonly database?: boolean },
): Promise<void> {
  const database = options.database ? { connection: readTarget(process.env).url } : {};
  const findings = await lintMigrations(await readModules(options.config), files, database);
  const errors = findings.filter(({ severity }) => severity === 'error').length;
  if (options.json) say(JSON.stringify({ findings }));
  else {
    for (const each of findings) say(lineOf(each));
    say(findings.length === 0 ? 'Nothing found.' : `${findings.length} found, ${errors} of them errors.`);
  }
  process.exitCode = errors > 0 ? EXIT.lint : EXIT.done;
}

function lineOf({ file, line, rule, severity, isInDown, about, sentence, alternative }: LintFinding): string {
  const what = [severity, rule, isInDown ? 'in Down' : '', about].filter(Boolean).join(' ');
  return `${file}:${line}: ${what}: ${sentence}\n  ${alternative}`;
}
