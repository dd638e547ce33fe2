import { fileURLToPath } from 'node:url';
import { defineModule } from './module.ts';

/** The tables of the deletion journal, which entities that `deletion.register` names need: list it among the modules. */
export const deletionJournal = defineModule({
  name: 'deletion_journal',
  migrations: fileURLToPath(new URL('../../../migrations/deletion_journal', import.meta.url)),
  entities: [],
  unmappedTables: ['deletion_batches', 'deletion_entries', 'deletion_holds', 'deletion_erasures'],
});
