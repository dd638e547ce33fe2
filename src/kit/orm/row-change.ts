import type { Collection, EntityKey, Primary, PrimaryProperty, Reference } from '@mikro-orm/core';

/** The properties of the primary key. */
type KeyOf<Entity> = PrimaryProperty<Entity> & EntityKey<Entity>;

/** Those of other rows, and the mark, which `softDelete` and `restore` write. */
type Unwritable<Entity> = {
  [Name in EntityKey<Entity>]: NonNullable<Entity[Name]> extends Collection<never, never> ? Name : never;
}[EntityKey<Entity>];

type ColumnOf<Entity> = Exclude<EntityKey<Entity>, KeyOf<Entity> | Unwritable<Entity> | 'deletedAt'>;

type Simple = string | number | bigint | boolean | symbol | Date | Uint8Array | readonly unknown[] | null;

/** A relation by the key of its target, or by the target. A document is what it is. */
type Given<Value> = Value extends undefined
  ? never
  : Value extends Simple
    ? Value
    : Value extends Reference<infer Target>
      ? Primary<Target> | Target | Value
      : Value | Primary<Value>;

/** What one row is to become: its key, and the columns to write. */
export type RowChange<Entity> = { readonly [Name in KeyOf<Entity>]: Given<Entity[Name]> } & {
  readonly [Name in ColumnOf<Entity>]?: Given<Entity[Name]>;
};

/** A change without any property that the entity does not have, also where it comes out of a function such as `map`. */
export type ExactChange<Entity, Change> = Change & {
  readonly [Name in Exclude<keyof Change, KeyOf<Entity> | ColumnOf<Entity>>]: never;
};

/** How `updateMany` answers for rows that are not there. */
export interface UpdateManyOptions {
  /**
   * `refuse`, the default: nothing is written, and an error names the rows. `skip`: the others are written, and the answer tells
   * which.
   */
  readonly missing?: 'refuse' | 'skip';
}
