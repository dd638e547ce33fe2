import type { EntityClass, EntityMetadata, EntityProperty } from '@mikro-orm/core';
import type { DataEntityManager } from '../../orm/index.ts';
import { checkInterval } from './interval.ts';
import { policyOf, type RetentionPolicy } from './retention.ts';
import { RetentionError } from './retention-error.ts';

/** Which rows a purge is about. */
export interface PurgeScope {
  /** Classes or their names; every entity that has a policy when left out. */
  readonly entities?: readonly (EntityClass<object> | string)[];
  /** Rows of this tenant only, by the value of the column; entities without a tenant are then left alone. */
  readonly tenant?: string | number;
  /** In the place of the intervals of all policies, those of tenants too. */
  readonly olderThan?: string;
}

/** An entity whose dead rows are purged, and the interval of each. */
export interface Subject {
  readonly meta: EntityMetadata;
  readonly olderThan: string;
  readonly tenants: Readonly<Record<string, string>>;
  readonly tenantColumn: string | undefined;
}

/**
 * The entities of a purge, before anything is asked of the database.
 *
 * @throws RetentionError for an interval, an entity or a tenant that there is no policy for.
 */
export function subjectsOf(em: DataEntityManager, { entities, tenant, olderThan }: PurgeScope): Subject[] {
  const own = olderThan === undefined ? undefined : checkInterval(olderThan);
  const metadata = [...(em.getMetadata() as unknown as Iterable<EntityMetadata>)];
  const named = entities?.map((entity) => metaOf(metadata, entity));
  const subjects = (named ?? metadata.filter((meta) => policyOf(meta))).map((meta) =>
    subjectOf(meta, own, tenant !== undefined && named !== undefined),
  );
  const chosen = subjects.filter(({ tenantColumn }) => tenant === undefined || tenantColumn !== undefined);
  if (chosen.length === 0) throw RetentionError.noPolicy();
  return chosen;
}

function metaOf(metadata: readonly EntityMetadata[], entity: EntityClass<object> | string): EntityMetadata {
  const found = metadata.find((meta) => meta.class === entity || meta.className === entity);
  if (found) return found;
  throw RetentionError.unknownEntity(typeof entity === 'string' ? 'The named entity' : entity.name);
}

function subjectOf(meta: EntityMetadata, olderThan: string | undefined, needsTenant: boolean): Subject {
  const policy = policyOf(meta);
  if (!policy) throw RetentionError.noPolicy(meta.className);
  if (meta.root !== meta) throw RetentionError.halfTable(meta.className, meta.root.className);
  const tenantColumn = columnOf(meta, policy);
  if (needsTenant && tenantColumn === undefined) throw RetentionError.noTenant(meta.className);
  const tenants = olderThan === undefined ? (policy.tenants ?? {}) : {};
  return { meta, olderThan: olderThan ?? policy.olderThan, tenants, tenantColumn };
}

function columnOf(meta: EntityMetadata, { tenant }: RetentionPolicy): string | undefined {
  if (tenant === undefined) return undefined;
  const prop = meta.properties[tenant] as EntityProperty | undefined;
  const [column, ...more] = prop?.fieldNames ?? [];
  if (column === undefined || more.length > 0) throw RetentionError.noTenant(meta.className);
  return column;
}
