import { Client } from 'pg';
import type { Size } from './fill.ts';
import { TreePlanter } from './trees/plant-trees.ts';

/** The database that the libraries work on, as the bench itself reaches it. */
export interface Ground<Known = Size> {
  readonly client: Client;
  readonly size: Known;
  readonly trees: TreePlanter;
  close(): Promise<void>;
}

export async function openGround<Known extends Pick<Size, 'times'>>(
  url: string,
  size: Known,
): Promise<Ground<Known>> {
  const client = new Client({ connectionString: url });
  await client.connect();
  // Nothing that it plants is timed.
  await client.query('set synchronous_commit = off');
  const trees = new TreePlanter(client, url, size.times);
  const close = async (): Promise<void> => {
    await trees.close();
    await client.end();
  };
  return { client, size, trees, close };
}
