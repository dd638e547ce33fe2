import { SingleBar } from 'cli-progress';

/** Shows a purge while it goes on. */
export interface PurgeView {
  /** Rows that have gone so far, the last of them from this table. */
  tell(progress: { readonly table: string; readonly total: number }): void;
  end(): void;
}

/** A bar on a terminal. `due` is what was due at the start: others may delete, hold and purge meanwhile. */
export function purgeBar(stream: NodeJS.WriteStream, due: number): PurgeView {
  const view = new SingleBar({
    stream,
    format: '{bar} {value}/{total} {table}',
    clearOnComplete: false,
    noTTYOutput: false,
  });
  view.start(due, 0, { table: '' });
  return {
    tell: ({ table, total }) => {
      if (total > view.getTotal()) view.setTotal(total);
      view.update(total, { table });
    },
    end: () => view.stop(),
  };
}
