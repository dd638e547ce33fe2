import type { BackstopTable } from '../backstop.ts';
import type { NewMigration } from '../create.ts';
import type { Connection } from '../rebuild/connection.ts';
import { Session } from '../session.ts';
import { LiveParentError } from './errors.ts';
import { onlineMigrations } from './online.ts';
import { type Orphans, orphansOf } from './orphans.ts';
import { plainMigration } from './plain.ts';
import { readRelations } from './read-relations.ts';
import { type LiveRelation, type LiveTable, type Marks, shownName } from './relation.ts';
import { validateMigrations } from './validate.ts';

/** A relation as its entity declares it. */
export interface DeclaredRelation {
  /** `Track.album`. */
  readonly name: string;
  readonly schema?: string | undefined;
  readonly table: string;
  readonly columns: readonly string[];
  /** What becomes of its rows when the parent is deleted, where that is declared. */
  readonly policy?: string | undefined;
}

/** What entities tell of soft delete. */
export interface LiveParentModel {
  readonly tables: readonly BackstopTable[];
  readonly relations: readonly DeclaredRelation[];
}

export interface LiveParentRequest {
  /** Read for the foreign key, its tables and what they have already; nothing is written there. */
  readonly connection: Connection;
  /** `Entity.property`, or the name of a foreign key. */
  readonly relation: string;
  readonly model: LiveParentModel;
  /** Several files that never stop anybody for long; one that rewrites the tables when left out. */
  readonly online?: boolean | undefined;
  /** Guard new writes and leave the rows that stand against it for later. */
  readonly adopt?: boolean | undefined;
}

/** The texts of migrations, in their order, and what stands against them in the database that was asked. */
export interface LiveParentPlan {
  readonly migrations: readonly NewMigration[];
  readonly orphans: Orphans;
}

/**
 * The migrations that make PostgreSQL itself keep "a live child has a live parent" for one relation.
 *
 * @throws LiveParentError when the relation cannot have it.
 */
export async function planLiveParent(request: LiveParentRequest): Promise<LiveParentPlan> {
  return inDatabase(request, async (session, relation) => {
    if (relation.liveKey !== null) throw LiveParentError.guarded(relation.constraint, relation.liveKey);
    const marks = marksOf(relation, request.model);
    const { online = false, adopt = false } = request;
    const migrations = online
      ? onlineMigrations(relation, marks, adopt)
      : [plainMigration(relation, marks, adopt)];
    return { migrations, orphans: await orphansOf(session, relation, marks) };
  });
}

/**
 * The migration that validates the guarantee of a relation which was adopted.
 *
 * @throws LiveParentError when there is no such guarantee, or it is validated.
 */
export async function planLiveParentValidation(request: LiveParentRequest): Promise<LiveParentPlan> {
  return inDatabase(request, async (session, relation) => {
    const { constraint, liveKey, isValidated } = relation;
    if (liveKey === null) throw LiveParentError.notGuarded(constraint);
    if (isValidated) throw LiveParentError.guarded(constraint, liveKey);
    return {
      migrations: validateMigrations(relation, marksOf(relation, request.model)),
      orphans: await orphansOf(session, relation),
    };
  });
}

async function inDatabase<Result>(
  { connection, relation: what, model }: LiveParentRequest,
  work: (session: Session, relation: LiveRelation) => Promise<Result>,
): Promise<Result> {
  const session = await Session.open(connection);
  try {
    // Names are found as a run of migrations finds them.
    await session.begin();
    return await work(session, await relationOf(session, what, model));
  } catch (error) {
    throw session.explain(error);
  } finally {
    await session.close();
  }
}

async function relationOf(session: Session, what: string, model: LiveParentModel): Promise<LiveRelation> {
  const declared = model.relations.find(({ name }) => name === what);
  const found = await readRelations(session, declared ?? { constraint: what });
  const [relation] = found;
  if (!relation) throw LiveParentError.noKey(what);
  if (found.length > 1) {
    throw LiveParentError.ambiguous(
      what,
      found.map(({ child }) => shownName(child)),
    );
  }
  for (const end of [relation.child, relation.parent])
    if (end.isDivided) throw LiveParentError.divided(relation.constraint, shownName(end));
  const kept = model.relations.find((one) => one.policy === 'keep' && isOf(one, relation));
  if (kept) throw LiveParentError.keep(kept.name);
  return relation;
}

function marksOf({ constraint, child, parent }: LiveRelation, { tables }: LiveParentModel): Marks {
  const markOf = (end: LiveTable) => tables.find((table) => isTable(table, end))?.deletedAt;
  const marks = { child: markOf(child), parent: markOf(parent) };
  if (marks.parent === undefined) throw LiveParentError.hardParent(constraint, shownName(parent));
  if (marks.child === undefined) throw LiveParentError.hardChild(constraint, shownName(child));
  return { child: marks.child, parent: marks.parent };
}

function isOf({ columns, ...table }: DeclaredRelation, { child, columns: own }: LiveRelation): boolean {
  return isTable(table, child) && columns.length === own.length && columns.every((one) => own.includes(one));
}

/** Migrations run in the schema public. */
function isTable(
  { schema = 'public', table }: Pick<BackstopTable, 'schema' | 'table'>,
  end: LiveTable,
): boolean {
  return schema === end.schema && table === end.name;
}
