import { defineEntity, p } from '@mikro-orm/postgresql';
import { bigintId, defineModule, softDelete } from 'tombstone';
import { deletion } from 'tombstone/deletion';

const HarbourSchema = defineEntity({
  name: 'Harbour',
  tableName: 'harbours',
  properties: { id: bigintId(), ...softDelete.properties() },
});
export class Harbour extends HarbourSchema.class {}
HarbourSchema.setClass(Harbour);

const ShipSchema = defineEntity({
  name: 'Ship',
  tableName: 'ships',
  properties: { id: bigintId(), harbour: () => p.manyToOne(Harbour), ...softDelete.properties() },
});
export class Ship extends ShipSchema.class {}
ShipSchema.setClass(Ship);

softDelete.register(Harbour);
softDelete.register(Ship);
softDelete.deadTargets(Ship, { harbour: 'stub' });
deletion.register(Harbour);
deletion.register(Ship);
deletion.relations(Ship, { harbour: 'cascade' });

export const HARBOURS = `create table harbours (id bigserial primary key, deleted_at timestamptz);
  create table ships (id bigserial primary key, deleted_at timestamptz,
    harbour_id bigint not null constraint ships_harbour_id_fkey references harbours on delete cascade);
  create index ships_harbour_id_idx on ships (harbour_id)`;

export const harbours = (migrations: string) =>
  defineModule({ name: 'harbours', migrations, entities: [Harbour, Ship] });

/** What the command reads from a configuration. */
export const MODEL = {
  tables: ['harbours', 'ships'].map((table) => ({ table, deletedAt: 'deleted_at' })),
  relations: [],
};
