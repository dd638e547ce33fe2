import { loadParser } from '../lint/build.ts';
import type { Connection } from '../rebuild/connection.ts';
import { Session } from '../session.ts';
import { expressionParser } from './condition.ts';
import { takenApart } from './entity-difference.ts';
import type { ModelFacts } from './facts.ts';
import { readFacts } from './read-facts.ts';
import type { DoctorFinding } from './rule.ts';
import { DOCTOR_RULES } from './rules/index.ts';
import { afterWaivers, type DoctorWaiver, type WaivedFinding } from './waiver.ts';

/** Which database is examined, and what is known of it beside its catalogue. */
export interface DoctorOptions {
  readonly connection: Connection;
  readonly model?: ModelFacts | undefined;
  /** Asks an ORM for the statements that would bring the database to its entities; called when the database has answered. */
  readonly entityDifference?: (() => Promise<readonly string[] | undefined>) | undefined;
  /** Names of columns that mark rows as deleted, beside `deleted_at` and those of the entities. */
  readonly marks?: readonly string[] | undefined;
  readonly waivers?: readonly DoctorWaiver[] | undefined;
}

/** What the doctor has found. */
export interface Diagnosis {
  readonly findings: readonly DoctorFinding[];
  readonly waived: readonly WaivedFinding[];
}

/**
 * Examines how a database keeps soft-deleted rows apart. It reads the catalogue, and no row of a table.
 *
 * @throws MigrationError with one of the connection codes.
 */
export async function diagnose({
  connection,
  model = {},
  entityDifference,
  marks = [],
  waivers = [],
}: DoctorOptions): Promise<Diagnosis> {
  const parse = expressionParser(await loadParser());
  const session = await Session.open(connection);
  try {
    const difference = takenApart((await entityDifference?.()) ?? []);
    const facts = await readFacts(session, { parse, model, difference, marks });
    const found = DOCTOR_RULES.flatMap(({ id, severity, sentence, alternative, check }) =>
      check(facts).map(({ about, sql }) => ({ rule: id, severity, about, sentence, alternative, sql })),
    );
    return afterWaivers(found, waivers, facts.tables.values());
  } catch (error) {
    throw session.explain(error);
  } finally {
    await session.close();
  }
}
