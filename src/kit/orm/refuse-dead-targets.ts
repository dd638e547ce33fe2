import type { EntityMetadata, EntityProperty } from '@mikro-orm/core';
import { childrenOf, declaredDeadTargets, leadsToSoftDeletable } from '../soft-delete/index.ts';
import { SoftDeleteError } from './soft-delete-error.ts';

/**
 * Refuses what a relation cannot show of a dead target, and a NOT NULL relation that does not say what it shows: with the
 * core's joins such a relation would drop its owner from `find` and not from `count`.
 *
 * @throws SoftDeleteError naming the entity, the property and the line to write.
 */
export function refuseDeadTargets(meta: EntityMetadata): void {
  const declared = declaredDeadTargets(meta);
  for (const [name, policy] of Object.entries(declared)) refuseDeclaration(meta, name, policy);
  if (isGeneratedPivot(meta) || meta.virtual) return;
  for (const prop of meta.relations.filter(leadsToSoftDeletable)) {
    refuseDisagreement(meta, prop);
    if (declared[prop.name] || prop.nullable) continue;
    const answers = prop.primary ? ['stub', 'hide'] : ['null', 'stub', 'hide'];
    throw refusal(
      meta,
      `${prop.name} is NOT NULL, leads to a soft-deletable entity, and does not say what it shows when that is dead. ` +
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
  if (!prop || !leadsToSoftDeletable(prop)) {
    throw refusal(
      meta,
      `${name} is declared in softDelete.deadTargets, which takes owning to-one relations to soft-deletable entities. Remove it there.`,
    );
  }
  if (policy === 'null' && prop.primary) {
    throw refusal(meta, `${name} is part of the primary key and cannot show null. Declare 'stub' or 'hide'.`);
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

/** Two children of a single-table hierarchy may share a column, which then has one answer. */
function refuseDisagreement(meta: EntityMetadata, prop: EntityProperty): void {
  if (meta.root !== meta) return;
  const answers = childrenOf(meta).map((child) => declaredDeadTargets({ class: child as never })[prop.name]);
  const distinct = new Set(answers.filter((answer) => answer !== undefined));
  if (distinct.size > 1) {
    throw refusal(meta, `${prop.name} has different answers in its children. Declare the same one for all.`);
  }
}

function refusal(meta: EntityMetadata, text: string): SoftDeleteError {
  return SoftDeleteError.mapping(
    `${meta.className}.${text.slice(0, text.indexOf(' '))}`,
    text.slice(text.indexOf(' ') + 1),
  );
}
