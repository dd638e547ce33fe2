import { AsyncLocalStorage } from 'node:async_hooks';
import { ChangeSetType, type EventSubscriber, type FlushEventArgs } from '@mikro-orm/core';

const off = new AsyncLocalStorage<true>();

/** Runs work as if the recipe were not installed. */
export const withoutRecipe = <T>(work: () => Promise<T>): Promise<T> => off.run(true, work);

/** The filter of the documented recipe: on by default, for every entity that has the column. */
export const recipeFilter = (entities: string[]) => ({
  entity: entities,
  default: true,
  args: false,
  cond: () => (off.getStore() ? {} : { deletedAt: null }),
});

/** The subscriber of the documented recipe: a DELETE of a flush becomes an UPDATE that sets the column. */
export class RecipeSubscriber implements EventSubscriber {
  onFlush({ uow }: FlushEventArgs): void {
    if (off.getStore()) return;
    for (const changeSet of uow.getChangeSets()) {
      const entity = changeSet.entity as { deletedAt?: Date };
      if (changeSet.type !== ChangeSetType.DELETE || !('deletedAt' in changeSet.meta.properties)) continue;
      entity.deletedAt = new Date();
      changeSet.type = ChangeSetType.UPDATE;
      (changeSet.payload as { deletedAt?: Date }).deletedAt = entity.deletedAt;
    }
  }
}
