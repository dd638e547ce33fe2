import { defineEntity, MikroORM, p } from '@mikro-orm/postgresql';
import { bigintId, defineDataConfig, defineModule, deletionJournal, softDelete } from '../src/index.ts';
import {
  deleteRows,
  deletion,
  explainDelete,
  formatDeletePlan,
  previewRestore,
  restore,
  withDeletionContext,
} from '../src/kit/deletion/index.ts';
import { Migrator } from '../src/kit/migrations/index.ts';
import { line } from './print.ts';

const SeriesSchema = defineEntity({
  name: 'Series',
  tableName: 'tour_series',
  properties: { id: bigintId(), title: p.string(), ...softDelete.properties() },
});
class Series extends SeriesSchema.class {}
SeriesSchema.setClass(Series);

const EpisodeSchema = defineEntity({
  name: 'Episode',
  tableName: 'tour_episodes',
  properties: { id: bigintId(), series: () => p.manyToOne(Series), ...softDelete.properties() },
});
class Episode extends EpisodeSchema.class {}
EpisodeSchema.setClass(Episode);

for (const entity of [Series, Episode] as const) {
  softDelete.register(entity);
  deletion.register(entity);
}
softDelete.deadTargets(Episode, { series: 'stub' });

const TABLES = `
  create table tour_series (id bigserial primary key, title text not null, deleted_at timestamptz);
  create unique index tour_series_title_live on tour_series (title) where deleted_at is null;
  create table tour_episodes (id bigserial primary key, deleted_at timestamptz,
    series_id bigint not null constraint tour_episodes_series_id_fkey references tour_series on delete cascade)`;

/** Shows a cascade with its plan, a restore that a live row forbids, and one that brings exactly the batch back. */
export async function showTrash(clientUrl: string): Promise<void> {
  await new Migrator({ connection: clientUrl, modules: [deletionJournal] }).up();
  const module = defineModule({ name: 'tour', migrations: '/nowhere', entities: [Series, Episode] });
  const orm = await MikroORM.init(defineDataConfig({ clientUrl, modules: [module, deletionJournal] }));
  try {
    const em = orm.em.fork();
    await em.execute(TABLES);
    const series = em.create(Series, { title: 'Rivers' });
    const episodes = [1, 2, 3].map(() => em.create(Episode, { series }));
    await em.flush();
    await deleteRows(em, Episode, { id: episodes[0]?.id ?? '' });
    line(indented(formatDeletePlan(await explainDelete(em, Series, { id: series.id }))));
    const { batch } = await withDeletionContext({ actor: 'user:7', reason: 'contract ended' }, () =>
      deleteRows(em, Series, { id: series.id }),
    );
    if (!batch) throw new Error('Nothing was deleted: see the plan above.');
    const twin = em.create(Series, { title: 'Rivers' });
    await em.flush();
    const [conflict] = (await previewRestore(em, batch)).liveTwins;
    line(`  Preview with a live twin: refused by ${conflict?.constraint ?? 'nothing'}`);
    em.remove(twin);
    await em.flush();
    const { rows } = await restore(em, batch);
    const back = Object.entries(rows).map(([table, count]) => `${count} of ${table}`);
    line(`  Restored without the twin: ${back.join(', ')}; the episode deleted before stays deleted`);
  } finally {
    await orm.close();
  }
}

const indented = (text: string): string => text.replace(/^/gm, '  ');
