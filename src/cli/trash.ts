import type { Command } from 'commander';
import { deletionExitLines } from './deletion-exits.ts';
import { addTrashErase } from './trash-erase.ts';
import { addTrashHold, addTrashHolds, addTrashRelease } from './trash-holds.ts';
import { addTrashList } from './trash-list.ts';
import { addTrashPurge } from './trash-purge.ts';
import { addTrashRestore } from './trash-restore.ts';
import { addTrashShow } from './trash-show.ts';

/** Adds `trash` and its commands; what belongs there takes the command, as these do. */
export function addTrash(program: Command): void {
  const trash = program
    .command('trash')
    .description('what was deleted, how it comes back or goes for good, and what is held; docs/trash.md')
    .addHelpText('after', `\nExit codes:\n${deletionExitLines().join('\n')}`);
  addTrashList(trash);
  addTrashShow(trash);
  addTrashRestore(trash);
  addTrashErase(trash);
  addTrashPurge(trash);
  addTrashHold(trash);
  addTrashRelease(trash);
  addTrashHolds(trash);
}
