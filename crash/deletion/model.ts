import { defineEntity, p } from '@mikro-orm/postgresql';
import { defineModule, softDelete, timestamps } from 'tombstone';
import { deletion } from 'tombstone/deletion';

/** A house that publishes albums. The keys are given, so that a key tells the tree that its row belongs to. */
export const TABLES = `
  create table labels (id bigint primary key, name text,
    created_at timestamptz not null default now(), updated_at timestamptz not null default now(), deleted_at timestamptz);
  create table producers (id bigint primary key, name text, label_id bigint not null references labels,
    created_at timestamptz not null default now(), updated_at timestamptz not null default now(), deleted_at timestamptz);
  create table albums (id bigint primary key, title text, label_id bigint not null references labels,
    created_at timestamptz not null default now(), updated_at timestamptz not null default now(), deleted_at timestamptz);
  create table tracks (id bigint primary key, title text, album_id bigint not null references albums, producer_id bigint references producers,
    created_at timestamptz not null default now(), updated_at timestamptz not null default now(), deleted_at timestamptz);
  create table tags (id bigint primary key, name text);
  create table album_tags (album_id bigint not null references albums on delete cascade, tag_id bigint not null references tags on delete cascade,
    primary key (album_id, tag_id));
  create table plays (id bigint primary key, track_id bigint not null references tracks);
  create index on producers (label_id); create index on albums (label_id); create index on tracks (album_id);
  create index on tracks (producer_id); create index on plays (track_id)`;

const id = () => p.bigint('string').primary();

const LabelSchema = defineEntity({
  name: 'Label',
  tableName: 'labels',
  properties: { id: id(), name: p.text().nullable(), ...timestamps(), ...softDelete.properties() },
});
export class Label extends LabelSchema.class {}
LabelSchema.setClass(Label);

const ProducerSchema = defineEntity({
  name: 'Producer',
  tableName: 'producers',
  properties: {
    id: id(),
    name: p.text().nullable(),
    label: () => p.manyToOne(Label),
    ...timestamps(),
    ...softDelete.properties(),
  },
});
export class Producer extends ProducerSchema.class {}
ProducerSchema.setClass(Producer);

const TagSchema = defineEntity({
  name: 'Tag',
  tableName: 'tags',
  properties: { id: id(), name: p.text().nullable() },
});
export class Tag extends TagSchema.class {}
TagSchema.setClass(Tag);

const AlbumSchema = defineEntity({
  name: 'Album',
  tableName: 'albums',
  properties: {
    id: id(),
    title: p.text().nullable(),
    label: () => p.manyToOne(Label),
    tags: () => p.manyToMany(Tag).pivotTable('album_tags').joinColumn('album_id').inverseJoinColumn('tag_id'),
    ...timestamps(),
    ...softDelete.properties(),
  },
});
export class Album extends AlbumSchema.class {}
AlbumSchema.setClass(Album);

const TrackSchema = defineEntity({
  name: 'Track',
  tableName: 'tracks',
  properties: {
    id: id(),
    title: p.text().nullable(),
    album: () => p.manyToOne(Album),
    producer: () => p.manyToOne(Producer).nullable(),
    ...timestamps(),
    ...softDelete.properties(),
  },
});
export class Track extends TrackSchema.class {}
TrackSchema.setClass(Track);

const PlaySchema = defineEntity({
  name: 'Play',
  tableName: 'plays',
  properties: { id: id(), track: () => p.manyToOne(Track) },
});
export class Play extends PlaySchema.class {}
PlaySchema.setClass(Play);

for (const entity of [Label, Producer, Album, Track]) {
  softDelete.register(entity);
  deletion.register(entity);
}
softDelete.deadTargets(Producer, { label: 'stub' });
softDelete.deadTargets(Album, { label: 'stub' });
softDelete.deadTargets(Track, { album: 'stub', producer: 'stub' });
softDelete.deadTargets(Play, { track: 'stub' });
deletion.relations(Producer, { label: 'cascade' });
deletion.relations(Album, { label: 'cascade', tags: 'record' });
deletion.relations(Track, { album: 'cascade', producer: 'unlink' });
deletion.relations(Play, { track: 'remove' });

export const house = defineModule({
  name: 'house',
  migrations: '/nowhere',
  entities: [Label, Producer, Tag, Album, Track, Play],
});
