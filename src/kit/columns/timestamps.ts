import { p, raw } from '@mikro-orm/core';

const instant = () => p.datetime().columnType('timestamptz');

/**
 * `created_at` and `updated_at`, both with the database's `now()` as default. Spread it into an entity's properties.
 *
 * A flush that changes the row sets `updated_at` by the database's clock too, and so does a soft delete.
 */
export const timestamps = () => ({
  createdAt: instant().defaultRaw('now()'),
  updatedAt: instant()
    .defaultRaw('now()')
    .onUpdate(() => raw('now()')),
});
