import type { EntityMetadata } from '@mikro-orm/core';
import { ownDeletionOf } from '../orm/index.ts';
import { isSoftDeletable } from '../soft-delete/index.ts';
import type { OnDelete } from './catalogue.ts';
import type { Relation } from './declared-relations.ts';
import { DeletionError } from './errors.ts';
import type { GraphEdge } from './graph.ts';
import type { DeletePolicy } from './policy.ts';

/** A foreign key, and what is known of the table that has it. */
export interface PolicyQuestion {
  readonly edge: Omit<GraphEdge, 'policy'>;
  readonly relation: Relation | undefined;
  /** The entity of the table; undefined where none is mapped to it. */
  readonly meta: EntityMetadata | undefined;
  /** Whether rows of other tables refer to the rows of this one. */
  readonly isReferenced: boolean;
  /** Whether the database itself keeps a live parent for each of its live rows. */
  readonly isGuarded: boolean;
}

const SQL: Readonly<Record<OnDelete, string>> = {
  a: 'NO ACTION',
  r: 'RESTRICT',
  c: 'CASCADE',
  n: 'SET NULL',
  d: 'SET DEFAULT',
};

const RULES: Readonly<Record<string, OnDelete>> = {
  'no action': 'a',
  restrict: 'r',
  cascade: 'c',
  'set default': 'd',
};

/** What a purge would do behind the back of a policy: ON DELETE speaks when the row is removed for good. */
const REFUSED: Readonly<Record<DeletePolicy, string>> = {
  cascade: 'nd',
  restrict: 'cnd',
  unlink: 'cd',
  keep: 'cd',
  remove: 'nd',
  record: 'nd',
};

/**
 * The policy of a foreign key: as declared, or as ON DELETE says.
 *
 * @throws DeletionError where the two contradict each other, or where the answer cannot be carried out.
 */
export function checkPolicy(question: PolicyQuestion): DeletePolicy {
  const { edge, relation } = question;
  const name = relation?.name ?? edge.child.name;
  refuseDrift(name, question);
  const policy = relation?.policy ?? derivedPolicy(name, question);
  if (relation?.policy !== undefined && REFUSED[policy].includes(edge.onDelete)) {
    throw DeletionError.contradiction(
      name,
      edge.constraint,
      `declares ${policy}, but the database has ON DELETE ${SQL[edge.onDelete]}, which would do something else when rows are removed for good. ` +
        'Change the declaration, or the foreign key to ON DELETE RESTRICT by a migration.',
    );
  }
  refuseImpossible(name, policy, question);
  return policy;
}

function derivedPolicy(name: string, { edge, meta }: PolicyQuestion): DeletePolicy {
  if (edge.onDelete === 'a' || edge.onDelete === 'r') return 'restrict';
  if (edge.onDelete === 'n') return 'unlink';
  if (edge.onDelete === 'c' && edge.child.deletedAt !== undefined) return 'cascade';
  if (edge.onDelete === 'c' && meta?.pivotTable) return 'record';
  const remedy = meta
    ? `Declare one with deletion.relations(${meta.className}, …).`
    : 'Map the table as an entity and declare one, or change the foreign key by a migration.';
  throw DeletionError.undeclared(
    name,
    edge.constraint,
    `has ON DELETE ${SQL[edge.onDelete]} and no policy, and its rows cannot be deleted so that they could be restored. ${remedy}`,
  );
}

/** The ORM fills in SET NULL where an entity says nothing, so that only the other rules tell what was meant. */
function refuseDrift(name: string, { edge, relation }: PolicyQuestion): void {
  const rule = RULES[relation?.deleteRule?.toLowerCase() ?? ''];
  const isKey = edge.columns.every((column) => edge.child.primaryKey.includes(column));
  if (rule === undefined || isKey) return;
  // Both refuse, one at once and one at the end of the statement.
  const [stated, real] = [rule, edge.onDelete].map((one) => (one === 'a' ? 'r' : one));
  if (stated === real) return;
  throw DeletionError.contradiction(
    name,
    edge.constraint,
    `states deleteRule '${relation?.deleteRule}', but the database has ON DELETE ${SQL[edge.onDelete]}. Change the entity, or the foreign key by a migration.`,
  );
}

function refuseImpossible(name: string, policy: DeletePolicy, question: PolicyQuestion): void {
  const { edge, meta, isReferenced, isGuarded } = question;
  const refuse = (reason: string): never => {
    throw DeletionError.contradiction(name, edge.constraint, reason);
  };
  if (policy === 'unlink' && edge.emptied.length === 0) {
    refuse(
      'unlinks, but none of its columns can be set to null (of MATCH FULL all have to be). Declare cascade, restrict or keep, or drop NOT NULL by a migration.',
    );
  }
  if (policy === 'keep' && isGuarded) {
    refuse(
      'declares keep, but the database refuses a live row of a deleted parent. Declare cascade, unlink or restrict, or drop the guarantee by a migration.',
    );
  }
  if (edge.period && policy !== 'keep' && policy !== 'restrict') {
    refuse(
      `declares ${policy} for a foreign key with a PERIOD, whose rows may need several parents. Declare restrict or keep.`,
    );
  }
  if (policy === 'cascade') {
    if (!meta || !isSoftDeletable(meta)) {
      refuse(
        'cascades to rows that are not soft-deletable. Declare record, remove, restrict or keep, or register the entity with softDelete.',
      );
    } else if (!ownDeletionOf(meta)) {
      refuse(
        `cascades to ${meta.className}, which does not say what becomes of its own children. Call deletion.register(${meta.className}).`,
      );
    }
  }
  if (policy === 'remove' || policy === 'record') {
    if (edge.child.deletedAt !== undefined)
      refuse(`declares ${policy} for soft-deletable rows. Declare cascade.`);
    if (isReferenced) {
      refuse(
        `declares ${policy}, but other tables refer to its rows, whose foreign keys would act unseen. Declare restrict or keep.`,
      );
    }
  }
  if (policy !== 'keep' && policy !== 'restrict' && edge.child.primaryKey.length === 0) {
    refuse(
      `declares ${policy}, but the table has no primary key by which its rows could be journaled. Add one, or declare restrict or keep.`,
    );
  }
}
