import { type EntityName, RawQueryFragment } from '@mikro-orm/core';
import { currentScope, visibleRows } from '../soft-delete/index.ts';
import { mappingOf, predicateSql } from './live-sql.ts';
import { SoftDeleteError } from './soft-delete-error.ts';

/**
 * What {@link live} makes: a raw fragment of MikroORM that is an expression of Kysely, too, which is no dependency of this
 * package and looks only at the shape.
 */
export class LiveFragment extends RawQueryFragment {
  readonly #bornIn = currentScope();
  readonly #text: string;

  /** @param text a condition in SQL, which may hold a `?` that stands for no value. */
  constructor(text: string) {
    super('??', [new RawQueryFragment(text)]);
    this.#text = text;
    // Everything that compiles a fragment asks for this.
    Object.defineProperty(this, 'sql', { get: () => this.#inScope('??') });
  }

  /** Kysely's sign of an expression; the value is never asked for. */
  get expressionType(): boolean | undefined {
    return undefined;
  }

  /** Called by Kysely when it takes the expression into a query. */
  toOperationNode(): never {
    return { kind: 'RawNode', sqlFragments: [this.#inScope(this.#text)], parameters: [] } as never;
  }

  #inScope(text: string): string {
    if (this.#bornIn === currentScope() && !this.#bornIn?.closed) return text;
    throw SoftDeleteError.wrongScope('This live(…)');
  }
}

/**
 * The condition that the rows of an entity are there, for SQL that is written by hand: `deleted_at is null` of `alias`, or of
 * the table by its own name. It says what the scope shows in which it is made: `true` in `withDeleted` and
 * `skipSoftDelete`, `is not null` in `onlyDeleted`; used in another scope, it throws.
 *
 * It goes into `sql` and `raw` of MikroORM, into conditions of the query builder, and into Kysely.
 *
 * @throws SoftDeleteError `SOFT_DELETE.NOT_SOFT_DELETABLE` for a class that is not registered.
 * @example
 * ```ts
 * await em.execute(sql`select b.* from book b where b.author_id = ${id} and ${live(Book, 'b')}`);
 * ```
 */
export function live(entity: EntityName<object>, alias?: string): LiveFragment {
  const mapping = mappingOf(entity);
  return new LiveFragment(predicateSql(mapping, alias ?? mapping.table, visibleRows(currentScope())));
}
