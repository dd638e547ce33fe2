import { type Dictionary, type EntityMetadata, type EntityProperty, QueryFlag, raw } from '@mikro-orm/core';
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
  hidingRelations,
  isSoftDeletable,
  mayBeAbsent,
  type VisibleRows,
  visibleRows,
} from '../soft-delete/index.ts';
import { captureOf } from './captured-statement.ts';
import { instantsSetOnUpdate, withColumnPredicate, withPredicate } from './live-predicate.ts';
import { ownDeletionOf } from './own-deletion.ts';
import { refuseViewWrite } from './refuse-view-writes.ts';
import { namesFor, shownOwners, withSql } from './shown-owners.ts';
import { SoftDeleteError } from './soft-delete-error.ts';
import { isInUpsert } from './upsert-call.ts';
import { liveOnlyTarget, liveOnlyUnique } from './upsert-target.ts';

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
  /** The rows that ON CONFLICT DO UPDATE may change; an upsert that revives asks for more than live ones. */
  conflictRows: VisibleRows = 'live';
  /** Whether the rows that a select finds are marked by the statement around it; they are live ones then, as those of an update. */
  findsToMark = false;

  override delete(cond?: QBFilterQuery<Entity>): DeleteQueryBuilder<Entity> {
    const meta = this.mainAlias.meta as EntityMetadata | undefined;
    if (!guardsWrites(this.bornIn) || !meta || !isSoftDeletable(meta)) return super.delete(cond);
    const own = ownDeletionOf(meta);
    if (own) throw own.refusal(meta.className);
    const now = raw('now()');
    const data = Object.fromEntries([DELETED_AT, ...instantsSetOnUpdate(meta)].map((name) => [name, now]));
    const update = super.update(data as never).returning(meta.primaryKeys as never);
    return cond === undefined ? update : update.where(cond);
  }

  override execute<U = unknown>(
    ...[method, options]: Parameters<QueryBuilder<Entity>['execute']>
  ): Promise<U> {
    const sink = captureOf(this.loggerContext);
    if (sink) sink.builder = this;
    // Until it is compiled, an update by a condition on a relation looks like the SELECT that it will contain.
    const isRewritten = this.state.flags.has(QueryFlag.UPDATE_SUB_QUERY);
    if (isRewritten) this.connectionType ??= 'write';
    return super.execute<U>(method ?? (isRewritten ? 'run' : undefined), options);
  }

  override truncate(): TruncateQueryBuilder<Entity> {
    const { meta } = this.mainAlias;
    const isHiding = !this.bornIn && hidingRelations(meta).length > 0;
    if (isHiding || (guardsWrites(this.bornIn) && isSoftDeletable(meta))) {
      throw SoftDeleteError.truncate(meta.className);
    }
    return super.truncate();
  }

  override clone(...args: Parameters<QueryBuilder<Entity>['clone']>): QueryBuilder<Entity> {
    const copy = super.clone(...args) as unknown as GuardedQueryBuilder<Entity>;
    Object.setPrototypeOf(copy, GuardedQueryBuilder.prototype);
    copy.bornIn = this.bornIn;
    copy.guarded = false;
    // The core's copy has no logger context. A read that is only to be captured would be sent.
    if (this.loggerContext && captureOf(this.loggerContext)) copy.setLoggerContext(this.loggerContext);
    return copy;
  }

  override getNativeQuery(processVirtualEntity = true): NativeQueryBuilder {
    if (this.bornIn !== currentScope() || this.bornIn?.closed) {
      throw SoftDeleteError.wrongScope('This query builder');
    }
    if (this.writes()) refuseViewWrite(this.mainAlias.meta as EntityMetadata | undefined);
    this.inferConflictTarget();
    if (guardsWrites(this.bornIn) && !this.guarded && !this.state.unionQuery) {
      this.guard();
      this.guardRewrittenUpdate();
      this.guardPaginated();
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
    if (mainAlias.subQuery || mainAlias.rawTableName) return;
    this.guardOwner();
    const isJoined = this.type !== QueryType.UPDATE || Object.keys(this.state.joins).length > 0;
    if (!isSoftDeletable(mainAlias.meta)) return;
    const rows = this.writes() ? 'live' : this.visible();
    this.state.cond = withPredicate(this.state.cond, rows, isJoined ? mainAlias.aliasName : undefined);
  }

  /** Leaves out a row that a dead target hides, and a link that leads to one, which may be all that is loaded. */
  protected guardOwner(): void {
    const { meta, aliasName } = this.mainAlias;
    const isSelect = this.type === QueryType.SELECT || this.type === QueryType.COUNT;
    const joined = Object.values(this.state.joins).map(({ alias }) => this.state.aliases[alias]?.meta);
    const owner = isSelect || joined.length > 0 ? aliasName : this.nameOfTable();
    const links = isSelect && meta.pivotTable ? meta.relations.filter((prop) => isHidden(prop, joined)) : [];
    this.state.cond = withSql(this.state.cond, this.shown(meta, owner));
    this.state.cond = withSql(this.state.cond, this.shown(meta, owner, links));
  }

  protected guardJoins(): void {
    const rows = this.visible();
    for (const join of Object.values(this.state.joins)) {
      const meta = this.state.aliases[join.alias]?.meta;
      if (join.subquery || !meta || !mayBeAbsent(meta)) continue;
      const shown = this.shown(meta, join.alias);
      const deletable = isSoftDeletable(meta);
      const guarded = (cond: Dictionary) =>
        withSql(deletable ? withPredicate(cond, rows, join.alias) : cond, shown);
      join.cond = guarded(join.cond);
      // The core goes back to this copy in the inner query of a paginated populate.
      if (join.cond_) join.cond_ = guarded(join.cond_);
    }
  }

  /** Repeats the predicate of a live-only index, without which PostgreSQL finds no index for these columns. */
  protected inferConflictTarget(): void {
    const meta = this.mainAlias.meta as EntityMetadata | undefined;
    if (!this.state.onConflict || !meta || !isSoftDeletable(meta)) return;
    for (const clause of this.state.onConflict) {
      const { fields } = clause;
      if (!Array.isArray(fields) || !liveOnlyUnique(meta, fields)) continue;
      const target = liveOnlyTarget(meta, fields, (name) => this.platform.quoteIdentifier(name));
      clause.fields = raw(target) as never;
    }
  }

  /** `ON CONFLICT DO UPDATE` must not touch a dead row, nor a hidden one. */
  protected guardConflict(): void {
    const meta = this.mainAlias.meta as EntityMetadata;
    const shown = this.shown(meta, meta.tableName);
    for (const clause of this.state.onConflict ?? []) {
      if (clause.ignore) continue;
      if (isSoftDeletable(meta) && this.conflictRows !== 'all') {
        clause.where = withColumnPredicate(clause.where ?? {}, meta, this.conflictRows) as never;
      }
      if (shown) clause.where = withSql(clause.where ?? {}, shown) as never;
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
    const { meta } = this.mainAlias;
    if (isSoftDeletable(meta)) this.state.cond = withPredicate(this.state.cond, 'live');
    this.state.cond = withSql(this.state.cond, this.shown(meta, this.nameOfTable()));
  }

  /** The condition that no target of the row hides it; in a scope nothing is hidden, so that hidden rows can be reached. */
  protected shown(
    meta: EntityMetadata | undefined,
    owner: string,
    relations?: readonly EntityProperty[],
  ): string | undefined {
    if (!meta || this.bornIn || (relations ?? hidingRelations(meta)).length === 0) return undefined;
    const names = namesFor(this.driver, meta, this.state.schema);
    return shownOwners(meta, names.quote(owner), names, relations);
  }

  /** What an update or a delete calls its table, where it is not rewritten to a sub-query. */
  protected nameOfTable(): string {
    return this.state.explicitAlias ? this.mainAlias.aliasName : this.mainAlias.meta.tableName;
  }

  /**
   * A limit over to-many joins moves the conditions into `id IN (SELECT …)`. A lock that has waited for a concurrent delete
   * asks the outer ones again, and the inner ones not.
   */
  protected guardPaginated(): void {
    const { finalized, limit, offset } = this.state;
    if (finalized || this.writes() || !(limit || offset)) return;
    this.finalizeNow();
    const { subQuery, rawTableName, meta, aliasName } = this.mainAlias;
    if (subQuery || rawTableName) return;
    if (isSoftDeletable(meta)) this.state.cond = withPredicate(this.state.cond, this.visible(), aliasName);
    this.state.cond = withSql(this.state.cond, this.shown(meta, aliasName));
  }

  protected visible(): VisibleRows {
    return isInUpsert() ? 'live' : visibleRows(this.bornIn);
  }

  /** Also an update by a condition on a relation, which looks like a SELECT until it is finalised. */
  protected writes(): boolean {
    if (this.findsToMark) return true;
    const isSelect = this.type === QueryType.SELECT || this.type === QueryType.COUNT;
    return !isSelect || this.state.flags.has(QueryFlag.UPDATE_SUB_QUERY);
  }

  /** The core's own step, which it marks as private. */
  protected finalizeNow(): void {
    if (!this.state.finalized) (this as unknown as { finalize(): void }).finalize();
  }
}

/** The filter joins a target that may be dead; one that may only be hidden is not joined where its key is enough. */
function isHidden({ targetMeta }: EntityProperty, joined: readonly (EntityMetadata | undefined)[]): boolean {
  if (!targetMeta || hidingRelations(targetMeta).length === 0) return false;
  return joined.every((meta) => meta?.class !== targetMeta.class);
}
