import { type EntityMetadata, QueryFlag, raw } from '@mikro-orm/core';
import {
  type DeleteQueryBuilder,
  type NativeQueryBuilder,
  type QBFilterQuery,
  QueryBuilder,
  QueryType,
  type TruncateQueryBuilder,
} from '@mikro-orm/postgresql';
import {
  currentScope,
  DELETED_AT,
  type DeletedScope,
  guardsWrites,
  isSoftDeletable,
  type VisibleRows,
  visibleRows,
} from '../soft-delete/index.ts';
import { instantsSetOnUpdate, withLiveColumn, withPredicate } from './live-predicate.ts';
import { refuseViewWrite } from './refuse-view-writes.ts';
import { SoftDeleteError } from './soft-delete-error.ts';

const READS_AND_UPDATES = new Set<QueryType>([
  QueryType.SELECT,
  QueryType.COUNT,
  QueryType.UPDATE,
  QueryType.DELETE,
]);

/**
 * The query builder that the driver hands out, so that every statement of the ORM but one passes here: `find`, `count`,
 * populate, sub-queries, native verbs, flush deletes and updates, locks, and queries that users build by hand.
 *
 * Each soft-deletable alias gets `deleted_at IS NULL`, or what the scope shows instead; a delete becomes an update, and
 * TRUNCATE is refused. Writes keep to live rows in every scope but `skipSoftDelete`.
 */
export class GuardedQueryBuilder<Entity extends object = object> extends QueryBuilder<Entity> {
  // Ordinary properties: the core's `clone()` builds its own class and we re-class the result, so a #field would be absent.
  protected bornIn: DeletedScope | undefined = currentScope();
  protected guarded = false;

  override delete(cond?: QBFilterQuery<Entity>): DeleteQueryBuilder<Entity> {
    const meta = this.mainAlias.meta as EntityMetadata | undefined;
    if (!guardsWrites(this.bornIn) || !meta || !isSoftDeletable(meta)) return super.delete(cond);
    const now = raw('now()');
    const data = Object.fromEntries([DELETED_AT, ...instantsSetOnUpdate(meta)].map((name) => [name, now]));
    const update = super.update(data as never).returning(meta.primaryKeys as never);
    return cond === undefined ? update : update.where(cond);
  }

  override async execute<U = unknown>(
    ...[method, options]: Parameters<QueryBuilder<Entity>['execute']>
  ): Promise<U> {
    // Until it is compiled, an update by a condition on a relation looks like the SELECT that it will contain.
    const isRewritten = this.state.flags.has(QueryFlag.UPDATE_SUB_QUERY);
    if (isRewritten) this.connectionType ??= 'write';
    return super.execute<U>(method ?? (isRewritten ? 'run' : undefined), options);
  }

  override truncate(): TruncateQueryBuilder<Entity> {
    const { meta } = this.mainAlias;
    if (guardsWrites(this.bornIn) && isSoftDeletable(meta)) throw SoftDeleteError.truncate(meta.className);
    return super.truncate();
  }

  override clone(...args: Parameters<QueryBuilder<Entity>['clone']>): QueryBuilder<Entity> {
    const copy = super.clone(...args) as unknown as GuardedQueryBuilder<Entity>;
    Object.setPrototypeOf(copy, GuardedQueryBuilder.prototype);
    copy.bornIn = this.bornIn;
    copy.guarded = false;
    return copy;
  }

  override getNativeQuery(processVirtualEntity = true): NativeQueryBuilder {
    if (this.bornIn !== currentScope() || this.bornIn?.closed) {
      throw SoftDeleteError.wrongScope('This query builder');
    }
    if (this.writes()) refuseViewWrite(this.mainAlias.meta as EntityMetadata | undefined);
    if (guardsWrites(this.bornIn) && !this.guarded && !this.state.unionQuery) {
      this.guard();
      this.guardRewrittenUpdate();
    }
    return super.getNativeQuery(processVirtualEntity);
  }

  /** Adds the predicate to every alias; runs once, right before the statement is compiled. */
  protected guard(): void {
    this.guarded = true;
    if (this.type === QueryType.INSERT) {
      // Finalising puts the discriminator of a single-table entity in the place of the conflict's whole condition.
      this.finalizeNow();
      return this.guardConflict();
    }
    if (!READS_AND_UPDATES.has(this.type)) return;
    // Adds the joins of inverse one-to-ones, which would otherwise be added after the guard has looked.
    if (!this.state.finalized) this.processPopulateHint();
    this.guardJoins();
    const { mainAlias } = this;
    // A sub-query or a CTE behind the main alias is guarded when it is compiled, and need not select `deleted_at`.
    if (mainAlias.subQuery || mainAlias.rawTableName || !isSoftDeletable(mainAlias.meta)) return;
    const isJoined = this.type !== QueryType.UPDATE || Object.keys(this.state.joins).length > 0;
    const rows = this.writes() ? 'live' : this.visible();
    this.state.cond = withPredicate(this.state.cond, rows, isJoined ? mainAlias.aliasName : undefined);
  }

  protected guardJoins(): void {
    const rows = this.visible();
    for (const join of Object.values(this.state.joins)) {
      if (join.subquery || !isSoftDeletable(this.state.aliases[join.alias]?.meta)) continue;
      join.cond = withPredicate(join.cond, rows, join.alias);
      // The core goes back to this copy in the inner query of a paginated populate.
      if (join.cond_) join.cond_ = withPredicate(join.cond_, rows, join.alias);
    }
  }

  /** `ON CONFLICT DO UPDATE` must not touch a dead row. */
  protected guardConflict(): void {
    const meta = this.mainAlias.meta as EntityMetadata;
    if (!isSoftDeletable(meta)) return;
    for (const clause of this.state.onConflict ?? []) {
      if (clause.ignore) continue;
      clause.where = withLiveColumn(clause.where ?? {}, meta) as never;
    }
  }

  /**
   * A condition on a relation turns an update into `id IN (SELECT …)`, which moves the guard inside; without one in the
   * outer statement too, a concurrent delete slips through the sub-query's snapshot.
   */
  protected guardRewrittenUpdate(): void {
    // Until it is finalised, the core treats such an update as the inner SELECT; only the flag tells.
    if (this.state.finalized || !this.state.flags.has(QueryFlag.UPDATE_SUB_QUERY)) return;
    this.finalizeNow();
    if (isSoftDeletable(this.mainAlias.meta)) {
      this.state.cond = withPredicate(this.state.cond, 'live');
    }
  }

  protected visible(): VisibleRows {
    return visibleRows(this.bornIn);
  }

  /** Also an update by a condition on a relation, which looks like a SELECT until it is finalised. */
  protected writes(): boolean {
    const isSelect = this.type === QueryType.SELECT || this.type === QueryType.COUNT;
    return !isSelect || this.state.flags.has(QueryFlag.UPDATE_SUB_QUERY);
  }

  /** The core's own step, which it marks as private. */
  protected finalizeNow(): void {
    if (!this.state.finalized) (this as unknown as { finalize(): void }).finalize();
  }
}
