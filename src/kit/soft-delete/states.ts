import { DELETED_AT } from './mixin.ts';

/** An entity of a row that was deleted when it was read; what `restore` takes. Other entities stay as they are. */
export type Trashed<Entity> = 'deletedAt' extends keyof Entity
  ? Entity & { readonly deletedAt: Date }
  : Entity;

/** An entity of a row that was live when it was read. Other entities stay as they are. */
export type Live<Entity> = 'deletedAt' extends keyof Entity ? Entity & { readonly deletedAt: null } : Entity;

/** Tells the two apart in what `withDeleted` shows; it looks at the entity, not at the database. */
export function isTrashed<Entity extends { deletedAt?: Date | null }>(
  entity: Entity,
): entity is Entity & { readonly deletedAt: Date } {
  return entity[DELETED_AT] != null;
}

/** The other half of {@link isTrashed}. */
export function isLive<Entity extends { deletedAt?: Date | null }>(
  entity: Entity,
): entity is Entity & { readonly deletedAt: null } {
  return entity[DELETED_AT] == null;
}
