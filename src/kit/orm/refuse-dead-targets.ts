import type { EntityMetadata, EntityProperty } from '@mikro-orm/core';
import { declaredDeadTargets, hidingRelations, mayLoseTarget } from '../soft-delete/index.ts';
import { SoftDeleteError } from './soft-delete-error.ts';

/**
 * Refuses what a relation cannot show of a dead target, and a NOT NULL relation that does not say what it shows: with the
 * core's joins such a relation would drop its owner from `find` and not from `count`.
 *
 * @throws SoftDeleteError naming the entity, the property and the line to write.
 */
export function refuseDeadTargets(meta: EntityMetadata, metadata: Iterable<EntityMetadata>): void {
  const declared = declaredDeadTargets(meta);
  for (const [name, policy] of Object.entries(declared)) refuseDeclaration(meta, name, policy);
  refuseDisagreement(meta, metadata);
  refuseCycle(meta);
  if (isGeneratedPivot(meta) || meta.virtual) return;
  for (const prop of meta.relations.filter(mayLoseTarget)) {
    if (declared[prop.name] || prop.nullable) continue;
    const answers = prop.primary ? ['stub', 'hide'] : ['null', 'stub', 'hide'];
    throw refusal(
      meta,
      `${prop.name} is NOT NULL, leads to an entity that may be dead, and does not say what it shows then. ` +
        `Write softDelete.deadTargets(${meta.className}, { ${prop.name}: '${answers[0]}' }), ` +
        `or ${answers
          .slice(1)
          .map((answer) => `'${answer}'`)
          .join(' or ')}.`,
    );
  }
}

/** The link table of a many-to-many relation without an entity of its own, which nobody can declare anything for. */
function isGeneratedPivot(meta: EntityMetadata): boolean {
  const isNamedAsTable = meta.className.endsWith(meta.tableName);
  return (
    meta.pivotTable === true &&
    isNamedAsTable &&
    meta.relations.some(({ name }) => /_(owner|inverse)$/.test(name))
  );
}

function refuseDeclaration(meta: EntityMetadata, name: string, policy: string): void {
  const prop = meta.properties[name as never] as EntityProperty | undefined;
  if (!prop || !mayLoseTarget(prop)) {
    throw refusal(
      meta,
      `${name} is declared in softDelete.deadTargets, which takes owning to-one relations to soft-deletable entities. Remove it there.`,
    );
  }
  if (policy === 'null' && prop.primary) {
    throw refusal(meta, `${name} is part of the primary key and cannot show null. Declare 'stub' or 'hide'.`);
  }
  if (policy === 'hide' && (meta.inheritanceType === 'tpt' || meta.tptParent)) {
    throw refusal(
      meta,
      `${name} cannot hide a row of a table-per-type hierarchy, whose child tables an update can reach without the parent. Declare 'null' or 'stub'.`,
    );
  }
  if (policy !== 'null' && prop.polymorphic) {
    throw refusal(meta, `${name} is polymorphic and can show only null of a dead target. Declare 'null'.`);
  }
  if (!['null', 'stub', 'hide'].includes(policy)) {
    throw refusal(
      meta,
      `${name} has an unknown answer in softDelete.deadTargets. Declare 'null', 'stub' or 'hide'.`,
    );
  }
}

/** Two children of a single-table hierarchy have one property of the root, which then has one answer. */
function refuseDisagreement(meta: EntityMetadata, metadata: Iterable<EntityMetadata>): void {
  if (meta.root !== meta || meta.root.inheritanceType !== 'sti') return;
  const answers = new Map<string, Set<string>>();
  for (const child of [...metadata].filter((one) => one.root === meta)) {
    for (const prop of child.relations.filter(mayLoseTarget)) {
      const answer = declaredDeadTargets(child)[prop.name] ?? (child === meta ? undefined : 'null');
      if (answer) answers.set(prop.name, (answers.get(prop.name) ?? new Set()).add(answer));
    }
  }
  for (const [name, { size }] of answers) {
    if (size <= 1) continue;
    throw refusal(
      meta,
      `${name} has different answers in its children. Declare the same one for all of them.`,
    );
  }
}

/** The condition of a target that hides itself is part of its owner's, so that a way back would have no end. */
function refuseCycle(meta: EntityMetadata, way: readonly EntityMetadata[] = []): void {
  for (const prop of hidingRelations(meta)) {
    const target = prop.targetMeta as unknown as EntityMetadata;
    const names = [...way, meta, target].map((one) => one.className);
    if ([...way, meta].some((one) => one.root.class === target.root.class)) {
      throw refusal(
        meta,
        `${prop.name} hides its owner and leads back to what it began with (${names.join(' to ')}). ` +
          "Declare 'null' or 'stub' for one relation of that way.",
      );
    }
    refuseCycle(target, [...way, meta]);
  }
}

function refusal(meta: EntityMetadata, text: string): SoftDeleteError {
  return SoftDeleteError.mapping(
    `${meta.className}.${text.slice(0, text.indexOf(' '))}`,
    text.slice(text.indexOf(' ') + 1),
  );
}
