import type {
  EntityName,
  FilterQuery,
  FindAllOptions,
  FindOneOptions,
  FindOneOrFailOptions,
  FindOptions,
  Loaded,
} from '@mikro-orm/core';
import type { Trashed } from '../soft-delete/index.ts';

type TrashedLoaded<
  Entity extends object,
  Hint extends string,
  Fields extends string,
  Excludes extends string,
> = Trashed<Loaded<Entity, Hint, Fields, Excludes>>;

/** The reads of the entity manager that `onlyDeleted` hands out: the same calls, and entities that `restore` takes. */
export interface TrashReads {
  find<
    Entity extends object,
    Hint extends string = never,
    Fields extends string = never,
    Excludes extends string = never,
  >(
    entityName: EntityName<Entity>,
    where: FilterQuery<NoInfer<Entity>>,
    options?: FindOptions<Entity, Hint, Fields, Excludes>,
  ): Promise<TrashedLoaded<Entity, Hint, Fields, Excludes>[]>;

  findAll<
    Entity extends object,
    Hint extends string = never,
    Fields extends string = never,
    Excludes extends string = never,
  >(
    entityName: EntityName<Entity>,
    options?: FindAllOptions<NoInfer<Entity>, Hint, Fields, Excludes>,
  ): Promise<TrashedLoaded<Entity, Hint, Fields, Excludes>[]>;

  findAndCount<
    Entity extends object,
    Hint extends string = never,
    Fields extends string = never,
    Excludes extends string = never,
  >(
    entityName: EntityName<Entity>,
    where: FilterQuery<NoInfer<Entity>>,
    options?: FindOptions<Entity, Hint, Fields, Excludes>,
  ): Promise<[TrashedLoaded<Entity, Hint, Fields, Excludes>[], number]>;

  findOne<
    Entity extends object,
    Hint extends string = never,
    Fields extends string = never,
    Excludes extends string = never,
  >(
    entityName: EntityName<Entity>,
    where: FilterQuery<NoInfer<Entity>>,
    options?: FindOneOptions<Entity, Hint, Fields, Excludes>,
  ): Promise<TrashedLoaded<Entity, Hint, Fields, Excludes> | null>;

  findOneOrFail<
    Entity extends object,
    Hint extends string = never,
    Fields extends string = never,
    Excludes extends string = never,
  >(
    entityName: EntityName<Entity>,
    where: FilterQuery<NoInfer<Entity>>,
    options?: FindOneOrFailOptions<Entity, Hint, Fields, Excludes>,
  ): Promise<TrashedLoaded<Entity, Hint, Fields, Excludes>>;
}
