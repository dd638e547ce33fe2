import type { Command } from 'commander';
import type { DoctorConfig } from '../kit/config/index.ts';
import { type Diagnosis, diagnose, type DoctorFinding } from '../kit/migrations/index.ts';
import { type Configuration, readConfiguration } from './configuration.ts';
import { entityDifference } from './entities.ts';
import { EXIT } from './exit-codes.ts';
import { common, type CommonOptions, say } from './open.ts';
import { readTarget } from './target.ts';

interface DoctorCommandOptions extends CommonOptions {
  readonly mark: readonly string[];
}

/** Adds `doctor`. */
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
    .addHelpText(
      'after',
      '\nExit codes: 0 nothing of severity error, 1 an error was found, or the command failed.',
    )
    .action(examine);
}

async function examine({ config, json, mark }: DoctorCommandOptions): Promise<void> {
  const { url, shown } = readTarget(process.env);
  const { model, marks, waivers } = await told(await readConfiguration(config), url);
  const diagnosis = await diagnose({ connection: url, model, marks: [...marks, ...mark], waivers });
  const errors = diagnosis.findings.filter(({ severity }) => severity === 'error').length;
  if (json) say(JSON.stringify({ target: shown, ...diagnosis }));
  else show(shown, diagnosis, errors);
  process.exitCode = errors > 0 ? EXIT.failed : EXIT.done;
}

/** What the configuration tells, and what the ORM would change in the database to reach its entities. */
async function told({ config }: Configuration, url: string): Promise<DoctorConfig> {
  // Loaded here, because no command but this and "backstop" needs the ORM.
  const { doctorConfig } = await import('../kit/config/index.ts');
  const { model, ...rest } = await doctorConfig(config as never);
  const difference = await entityDifference(config as object, url);
  return { ...rest, model: difference ? { ...model, difference } : model };
}

function show(target: string, { findings, waived }: Diagnosis, errors: number): void {
  say(`Database ${target}`);
  for (const each of findings) say(linesOf(each));
  if (waived.length > 0) say(`${waived.length} waived, with reasons in the configuration.`);
  say(findings.length === 0 ? 'Nothing found.' : `${findings.length} found, ${errors} of them errors.`);
}

function linesOf({ rule, severity, about, sentence, alternative, sql }: DoctorFinding): string {
  return [`${severity} ${rule} ${about}: ${sentence}`, alternative, ...sql.map((each) => `  ${each};`)].join(
    '\n  ',
  );
}
