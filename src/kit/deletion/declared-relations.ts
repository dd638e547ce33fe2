import { type EntityMetadata, type EntityProperty, ReferenceKind } from '@mikro-orm/core';
import { DeletionError } from './errors.ts';
import { declaredPolicies, type DeletePolicy } from './policy.ts';

/** A foreign key as the mapping knows it. */
export interface Relation {
  /** `Track.album`, for messages. */
  readonly name: string;
  /** The entity of the table that has the columns: a link table's own for a collection. */
  readonly meta: EntityMetadata;
  readonly columns: readonly string[];
  readonly target: EntityMetadata | undefined;
  readonly policy: DeletePolicy | undefined;
  /** ON DELETE as the entity states it; undefined where it leaves it to the ORM. */
  readonly deleteRule: string | undefined;
}

/** The foreign keys of all mapped tables, with what their classes declare. */
export function declaredRelations(mapped: readonly EntityMetadata[]): Relation[] {
  return mapped.flatMap((meta) => {
    refuseUnknown(meta);
    const policies = declaredPolicies(meta);
    return meta.relations.flatMap((prop): Relation[] => {
      if (isLinks(prop)) return linksOf(meta, prop, policies[prop.name], mapped);
      if (!hasKey(prop) || prop.polymorphic) return [];
      // The ORM makes up the relations of a link table; only an entity of the program's own can declare something.
      if (meta.pivotTable && policies[prop.name] === undefined) return [];
      return [
        {
          name: `${meta.className}.${prop.name}`,
          meta,
          columns: prop.fieldNames,
          target: prop.targetMeta,
          policy: policies[prop.name],
          deleteRule: prop.deleteRule,
        },
      ];
    });
  });
}

function refuseUnknown(meta: EntityMetadata): void {
  for (const [name, policy] of Object.entries(declaredPolicies(meta))) {
    const prop = meta.properties[name as never] as EntityProperty | undefined;
    if (prop && (hasKey(prop) || isLinks(prop))) continue;
    // The classes of a hierarchy share their table, but not all of their properties.
    if (!prop && meta.root !== meta) continue;
    throw DeletionError.contradiction(
      `${meta.className}.${name}`,
      undefined,
      `declares ${policy} and is no relation whose key stands in a table of its own side. Declare it on the side that has the foreign key.`,
    );
  }
}

const isLinks = (prop: EntityProperty): boolean =>
  prop.kind === ReferenceKind.MANY_TO_MANY && !prop.polymorphic;

function hasKey(prop: EntityProperty): boolean {
  return prop.kind === ReferenceKind.MANY_TO_ONE || (prop.kind === ReferenceKind.ONE_TO_ONE && prop.owner);
}

/** The side of a collection that declares speaks for the foreign key that leads to its own entity. */
function linksOf(
  meta: EntityMetadata,
  prop: EntityProperty,
  policy: DeletePolicy | undefined,
  mapped: readonly EntityMetadata[],
): Relation[] {
  const pivot = mapped.find((one) => one.class === (prop.pivotEntity as unknown));
  const name = `${meta.className}.${prop.name}`;
  return pivot
    ? [{ name, meta: pivot, columns: prop.joinColumns, target: meta, policy, deleteRule: undefined }]
    : [];
}
