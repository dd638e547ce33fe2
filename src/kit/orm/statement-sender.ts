import type { Logger } from '@mikro-orm/core';
import { planRefusal } from './refused-plans.ts';
import { besideSavepoints } from './savepoint.ts';
import { asShort } from './short-query.ts';
import { StaleTypes } from './stale-types.ts';
import type { SentQuery } from './statement-binder.ts';

/** An answer in the form in which Kysely gives it to the ORM. */
export interface Answer<Row = object> {
  readonly numAffectedRows?: bigint | undefined;
  readonly rows: Row[];
}

interface Ways {
  readonly logger: Logger;
  /** Whether statements are sent under their names at all. */
  readonly isNaming: boolean;
  byPool<Row>(query: SentQuery): Promise<Answer<Row>>;
}

/**
 * How often one call may be refused by names that are new. A pooler that knows prepared statements takes those of one text for one,
 * whatever their names are, and the server session has it as it was before its tables were changed.
 */
const MOST_REFUSALS = 5;

/** Sends statements under their names for as long as names work, and does what a refused name asks for. */
export class StatementSender {
  readonly #ways: Ways;
  #isNaming: boolean;
  /** How often a change of a table, or a temporary one, has made prepared statements useless; part of their names from then on. */
  #shapes = 0;
  readonly #staleTypes = new StaleTypes();

  constructor(ways: Ways) {
    this.#ways = ways;
    this.#isNaming = ways.isNaming;
  }

  /** From now on a text may name another table, of which a plan that PostgreSQL has kept knows nothing. */
  namesAreShadowed(): void {
    this.#shapes += 1;
  }

  /** By the connection of the transaction `ctx`, or else by the pool. Not an async function: short statements would feel each promise. */
  send<Row>(given: SentQuery, ctx: object | undefined, refusals = 0): Promise<Answer<Row>> {
    const [shapes, query] = [this.#shapes, this.#named(given, ctx)];
    const generation = given.name === undefined ? 0 : this.#staleTypes.generationOf(given.name);
    const answer = ctx
      ? besideSavepoints(ctx, () => viaKysely<Row>(ctx as KyselyLike, query))
      : this.#ways.byPool<Row>(query);
    if (query.name === undefined) return this.#tried(given, answer);
    return answer.catch((error: unknown) => {
      // A transaction has failed with it; its repetition finds the new name, or none.
      const isAnother =
        this.#learns(error, shapes, refusals) ||
        this.#staleTypes.doubts(given.name as string, generation, error);
      if (!isAnother || ctx) throw error;
      return this.send<Row>(given, ctx, refusals + 1);
    });
  }

  #tried<Row>({ name }: SentQuery, answer: Promise<Answer<Row>>): Promise<Answer<Row>> {
    if (name === undefined || !this.#staleTypes.isSuspect(name)) return answer;
    return answer.then((taken) => {
      this.#staleTypes.confirm(name);
      return taken;
    });
  }

  /** In a transaction only what no new column of a table can fail: `select *` is what most reads of the ORM are. */
  #named(query: SentQuery, ctx: object | undefined): SentQuery {
    const { name, text, values, rowMode, isPipelined, dates } = query;
    const isNamed = name !== undefined && this.#isNaming && !(query.isOpen && ctx);
    if (!isNamed || this.#staleTypes.isSuspect(name)) return { text, values, rowMode };
    const generation = this.#staleTypes.generationOf(name);
    const shaped = this.#shapes === 0 ? name : `${name}_${this.#shapes}`;
    const current = generation === 0 ? shaped : `${shaped}_t${generation}`;
    return asShort({ name: current, text, values, rowMode, isPipelined, dates });
  }

  /** Whether the next attempt will be another one. Of many that fail together, the first one decides for all. */
  #learns(error: unknown, shapes: number, refusals: number): boolean {
    const refusal = planRefusal(error);
    if (!refusal) return false;
    if (refusal === 'stale-plan' && refusals < MOST_REFUSALS) {
      if (this.#shapes === shapes) this.#shapes += 1;
      return true;
    }
    if (this.#isNaming) {
      this.#isNaming = false;
      this.#ways.logger.warn(
        'query',
        'A prepared statement was lost, its name was taken, or a new name did not help where its tables had changed: a pooler seems ' +
          'to give each transaction another server session. Statements are sent without names from now on. Say preparedStatements: false in defineDataConfig.',
        // Also where nothing else is logged: the program has to be told.
        { enabled: true },
      );
    }
    return true;
  }
}

interface KyselyLike {
  executeQuery(query: object): Promise<{ numAffectedRows?: bigint; rows: unknown[] }>;
}

/** Kysely hands `sql` and `parameters` on to `pg` as they are, which takes an object with a name for a text. */
export async function viaKysely<Row>(
  connection: KyselyLike | object,
  { values, ...text }: SentQuery,
): Promise<Answer<Row>> {
  const query = { kind: 'RawNode', sqlFragments: [text.text], parameters: [] };
  const sql = text.name === undefined && text.rowMode === undefined ? text.text : text;
  const compiled = { query, sql, parameters: values, queryId: {} };
  return (await (connection as KyselyLike).executeQuery(compiled)) as Answer<Row>;
}

const COUNTED = new Set(['INSERT', 'UPDATE', 'DELETE', 'MERGE']);

/** The driver's answer as Kysely would give it; several statements in one text answer with a list, which has no rows. */
export function answerOf<Row>(result: {
  readonly command?: string;
  readonly rowCount?: number | null;
  readonly rows?: unknown[];
}): Answer<Row> {
  const { command = '', rowCount, rows = [] } = result;
  return { rows: rows as Row[], numAffectedRows: COUNTED.has(command) ? BigInt(rowCount ?? 0) : undefined };
}
