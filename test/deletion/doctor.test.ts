import { expect, it } from '@jest/globals';
import { defineDataConfig, deletionJournal, doctorConfig } from 'tombstone';
import { diagnose } from 'tombstone/migrations';
import { music, TABLES } from './fixtures/label-model.ts';
import { databaseWith } from './fixtures/music.ts';

it('a cascade that policies follow is no finding, and one from a table without policies is', async () => {
  const connection = await databaseWith(`${TABLES};
    create table clauses (contract_id bigint primary key references contracts on delete cascade, deleted_at timestamptz)`);
  const config = defineDataConfig({ clientUrl: connection, modules: [music, deletionJournal] });
  const { model } = await doctorConfig(config);
  expect(model.deletedByPolicy?.map(({ table }) => table)).toEqual([
    'albums',
    'labels',
    'producers',
    'tracks',
  ]);
  const found = async (deletedByPolicy = model.deletedByPolicy): Promise<string[]> => {
    const { findings } = await diagnose({
      connection,
      model: { ...model, deletedByPolicy: deletedByPolicy ?? [] },
    });
    return findings
      .filter(({ rule }) => rule === 'D203' || rule === 'D201')
      .map(({ rule, about }) => `${rule} ${about}`);
  };
  expect(await found()).toEqual(['D203 clauses.clauses_contract_id_fkey']);
  expect(await found([])).toEqual([
    'D201 plays.plays_track_id_fkey',
    'D203 albums.albums_label_id_fkey',
    'D203 clauses.clauses_contract_id_fkey',
    'D203 labels.labels_parent_id_fkey',
    'D203 producers.producers_label_id_fkey',
    'D203 tracks.tracks_album_id_fkey',
  ]);
});
