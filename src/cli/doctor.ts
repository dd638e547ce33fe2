import type { Command } from 'commander';
import { type Diagnosis, diagnose, type DoctorFinding } from '../kit/migrations/index.ts';
import { type Configuration, readConfiguration } from './configuration.ts';
import { entityDifference } from './entities.ts';
import { EXIT, UsageError } from './exit-codes.ts';
import { common, type CommonOptions, say } from './open.ts';
import { readTarget } from './target.ts';

interface DoctorCommandOptions extends CommonOptions {
  readonly mark: readonly string[];
}

/** Adds `doctor`. It needs a database and reads it only. */
export function addDoctor(program: Command): void {
  common(
    program
      .command('doctor')
      .description(
        'examine how the database keeps deleted rows apart, by the rules of docs/doctor.md; it is only read',
      ),
  )
    .option(
      '--mark <column>',
      'a column that marks rows as deleted, beside deleted_at; may be repeated',
      (name, all: string[]) => [...all, name],
      [],
    )
    .addHelpText('after', '\nExit codes: 0 no error found, 1 an error found, or failed; 2 wrong usage.')
    .action(examine);
}

async function examine({ config: file, json, mark }: DoctorCommandOptions): Promise<void> {
  const { url, shown } = readTarget(process.env);
  const config = optionsIn(await readConfiguration(file));
  // Loaded here, because few commands need the ORM.
  const { doctorConfig } = await import('../kit/config/index.ts');
  const { model, marks, waivers } = await doctorConfig(config);
  const diagnosis = await diagnose({
    connection: url,
    model,
    marks: [...marks, ...mark],
    waivers,
    entityDifference: () => entityDifference(config, url, false),
  });
  const errors = diagnosis.findings.filter(({ severity }) => severity === 'error').length;
  if (json) say(JSON.stringify({ target: shown, ...diagnosis }));
  else show(shown, diagnosis, errors);
  process.exitCode = errors > 0 ? EXIT.failed : EXIT.done;
}

function optionsIn({ path, config }: Configuration): object {
  if (typeof config === 'object' && config !== null) return config;
  throw new UsageError(`${path} has no configuration. Export defineDataConfig(...) from it as default.`);
}

function show(target: string, { findings, waived }: Diagnosis, errors: number): void {
  say(`Database ${target}`);
  for (const each of findings) say(linesOf(each));
  if (waived.length > 0) say(`${waived.length} waived, with reasons in the configuration.`);
  say(findings.length === 0 ? 'Nothing found.' : `${findings.length} found, ${errors} of them errors.`);
}

function linesOf({ rule, severity, about, sentence, alternative, sql }: DoctorFinding): string {
  const mending = sql.map((each) => `  ${each};`);
  return [`${severity} ${rule} ${about}: ${sentence}`, alternative, ...mending].join('\n  ');
}
