import { Collection } from '@mikro-orm/core';
import type { SqlEntityManager } from '@mikro-orm/postgresql';

interface Verbs {
  /** Methods that reach rows, each with the verb of the probe that goes through it. */
  readonly probed: Readonly<Record<string, string>>;
  /** Methods that reach no row: configuration, unit of work in memory, and parts of a statement that others execute. */
  readonly rowless: string;
}

const entityManager: Verbs = {
  probed: {
    find: 'find',
    findAll: 'findAll',
    findOne: 'findOne',
    findOneOrFail: 'findOneOrFail',
    findAndCount: 'findAndCount',
    findByCursor: 'findByCursor',
    stream: 'stream',
    count: 'count',
    countBy: 'countBy',
    refresh: 'refresh',
    refreshOrFail: 'refreshOrFail',
    populate: 'em.populate joined',
    preparePopulate: 'populate joined',
    lock: 'lock',
    lockAndPopulate: 'lock',
    clone: 'clone',
    remove: 'remove',
    persist: 'flush of a change',
    assign: 'flush of a change',
    flush: 'flush of two changes',
    tryFlush: 'find',
    nativeUpdate: 'nativeUpdate',
    nativeDelete: 'nativeDelete',
    upsert: 'upsert',
    upsertMany: 'upsertMany',
    createQueryBuilder: 'query builder select',
    qb: 'query builder select',
    getKysely: 'Kysely select',
    getReference: 'reference init',
    skipSoftDelete: 'find',
    withDeleted: 'find',
    onlyDeleted: 'find',
  },
  rowless: `addFilter applyDiscriminatorCondition applyFilters autoJoinRefsForFilters begin buildFields cacheKey callRoutine
    canPopulate checkLockRequirements clear clearCache clearSessionContext commit create createPopulateWhere execute
    forceSelectInForLimitedPopulate fork getAbortOptions getComparator getConnection getContext getDataLoader
    getDriver getEntityFactory getEntityLoader getEventManager getFilterParams getHydrator getJoinedFilters
    getLoggerContext getMetadata getPlatform getPopulateWhere getRepository getSessionContext getTransactionContext
    getTransactionSessionContext getUnitOfWork id insert insertMany isInTransaction map merge mergeSessionContext
    prepareOptions processUnionWhere processWhere refreshMaterializedView repo resetTransactionContext rollback
    schema setFilterParams setFlushMode setLoggerContext setSessionContext setTransactionContext shouldRefresh
    storeCache transactional tryCache validateIndexUsage validateSessionContextStaging validateWhereKeysForIndex
    withSessionContext`,
};

const queryBuilder: Verbs = {
  probed: {
    execute: 'query builder execute',
    getResult: 'query builder getSingleResult',
    getResultAndCount: 'query builder getResultAndCount',
    getResultList: 'query builder select',
    getSingleResult: 'query builder getSingleResult',
    getCount: 'query builder count',
    count: 'query builder count',
    stream: 'query builder stream',
    update: 'query builder update',
    delete: 'query builder delete',
    truncate: 'query builder truncate',
    toRaw: 'sub-query',
    with: 'common table expression',
    withRecursive: 'common table expression',
    union: 'union',
    unionAll: 'union',
    select: 'query builder select',
    join: 'join by hand',
    innerJoin: 'join by hand',
    innerJoinAndSelect: 'join by hand',
    joinAndSelect: 'join by hand',
    leftJoin: 'join by hand',
    leftJoinAndSelect: 'join by hand',
    toQuery: 'union',
    getQuery: 'union',
    getFormattedQuery: 'union',
    getNativeQuery: 'query builder select',
  },
  rowless: `addCte addPolymorphicJoin addPropertyJoin addSelect addTPTParentFields addTPTParentJoins alias andHaving
    andOrderBy andWhere applyDiscriminatorCondition applyFilters applyJoinedFilters applyTPTJoins
    applyTPTPolymorphicJoins as branchesConflict buildUnionQuery cache canDistributeOrBranches clone collation
    comment condReferencesAlias createAlias createMainAlias createQueryBuilderHelper distinct distinctOn
    ensureFromClause ensureNotFinalized ensureTPTJoins finalize finalizeNow from fromEntityName fromRawTable
    fromSubQuery fromVirtual getAliasForJoinPath getAliasMap getCloneableProps getConnection getFieldsForJoinedLoad
    getJoinForPath getJoinSubtree getLoggerContext getNextAlias getOrBranchAliases getParams getPopulatePaths
    getQueryBase getSchema getSelectAliases groupBy guard guardConflict guardJoins guardOwner guardPaginated
    guardRewrittenUpdate hasFlag hasToManyJoins having helper hintComment ignore indexHint inferConflictTarget init
    innerJoinLateral innerJoinLateralAndSelect insert
    insertFrom joinReference leftJoinLateral leftJoinLateralAndSelect limit mainAlias mapResult mapResults merge
    mergeFilterOrCondition mergeOnConditions nameOfTable nestReferencedJoins normalizeJoinPath offset onConflict orHaving
    orWhere orderBy populate prepareFields preparePartitionLimit processNestedJoins processOrderBy
    processPopulateHint processPopulateWhere processReturningStatement propagatePopulateHint pruneJoinsForPagination
    resolveInsertFromColumns resolveNestedPath resolveVirtualField returning rewriteVirtualFieldOrderBy
    scheduleFilterCheck setAbortOptions setFlag setFlushMode setLockMode setLoggerContext setPartitionLimit shown state
    transferConditionsForOrderByJoins transferConditionsToJoin type unsetFlag where visible withSchema withSubQuery
    wrapModifySubQuery wrapPaginateSubQuery wrapPartitionLimitSubQuery writes`,
};

const collection: Verbs = {
  probed: {
    init: 'collection init',
    load: 'collection init',
    loadItems: 'collection loadItems',
    loadCount: 'collection loadCount',
    matching: 'collection matching',
    populated: 'populate joined',
  },
  rowless: `$ add addWithoutPropagation cancelOrphanRemoval checkInitialized compare contains count createCondition
    createLoadCountCondition createManyToManyCondition exists filter find get getEntityManager getIdentifiers
    getItems getSnapshot hydrate incrementCount indexBy isDirty isEmpty isInitialized isPartial length map
    mappedByProp propagate propagateToInverseSide propagateToOwningSide property reduce remove removeAll
    removeWithoutPropagation reorderItems set setDirty setSerializationContext shouldPopulate
    shouldPropagateToCollection slice takeSnapshot toArray toJSON validateModification`,
};

/** The verbs of the probes that the list of methods relies on. */
export const PROBED_VERBS: readonly string[] = [
  ...new Set([entityManager, queryBuilder, collection].flatMap((verbs) => Object.values(verbs.probed))),
];

/**
 * The methods that this ORM offers and the list does not know, as `EntityManager.findSome`: a new release, or a subclass,
 * has brought a verb that no probe goes through.
 */
export function unknownVerbs(em: SqlEntityManager, entity: new () => object): string[] {
  return [
    ...unknownOf('EntityManager', em, entityManager),
    ...unknownOf('QueryBuilder', em.createQueryBuilder(entity), queryBuilder),
    ...unknownOf('Collection', Collection.prototype, collection),
  ];
}

function unknownOf(name: string, start: object, { probed, rowless }: Verbs): string[] {
  const known = new Set(['constructor', ...Object.keys(probed), ...rowless.split(/\s+/)]);
  return methodsOf(start)
    .filter((method) => !known.has(method))
    .map((method) => `${name}.${method}`);
}

/** Names of the prototypes' properties; an entity manager and a query builder hold no method of their own. */
function methodsOf(start: object): string[] {
  const names = new Set<string>();
  const isPrototype = Object.hasOwn(start, 'constructor');
  let each: object | null = isPrototype ? start : (Object.getPrototypeOf(start) as object);
  for (; each && each !== Object.prototype; each = Object.getPrototypeOf(each) as object | null) {
    for (const name of Object.getOwnPropertyNames(each)) names.add(name);
  }
  return [...names].toSorted();
}
