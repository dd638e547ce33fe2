import { Pool } from 'pg';
import type { Connections, Library, Renaming, Usage } from '../library.ts';
import { newName, USAGE_FIELDS } from '../library.ts';
import { DELETE_OF_OWNER } from '../trees/tree-statements.ts';
import { deletionsOf } from './pg-deletion.ts';
import {
  ACCOUNTS_OF_GROUP,
  ACCOUNTS_WITH_GROUPS,
  BY_KEY,
  DEDUCT,
  DELETE_KEY,
  INSERT_USAGE,
  INSERT_USAGES,
  KEYS_TO_RENAME,
  nested,
  PAGE_OF_KEYS,
  RENAME_KEYS,
} from '../statements.ts';

type Row = Record<string, unknown>;

/** The floor: plain `pg`, statements by hand, each named, so that the server parses and plans it once per connection. */
export async function open({ url, size }: Connections): Promise<Library> {
  const pool = new Pool({ connectionString: url, max: size });
  const rows = async (name: string, text: string, values: unknown[]): Promise<Row[]> =>
    (await pool.query<Row>({ name, text, values })).rows;
  const changed = async (name: string, text: string, values: unknown[]): Promise<number> =>
    (await pool.query({ name, text, values })).rowCount ?? 0;
  const rename = async ({ ids, round }: Renaming): Promise<number> => {
    const keys = await rows('keys_to_rename', KEYS_TO_RENAME, [ids]);
    for (const key of keys) key['name'] = newName(String(key['id']), round);
    return changed('rename_keys', RENAME_KEYS, [
      keys.map((key) => key['id']),
      keys.map((key) => key['name']),
    ]);
  };
  const many = (usages: readonly Usage[]): unknown[] =>
    USAGE_FIELDS.map((field) => usages.map((usage) => usage[field]));
  return {
    ways: {
      ...deletionsOf(pool),
      W1: async (key) => {
        const [row] = await rows('by_key', BY_KEY, [key]);
        return row && nested(row);
      },
      W2: async ({ groupId, offset }) => {
        const found = await rows('page_of_keys', PAGE_OF_KEYS, [groupId, offset]);
        const total = Number(found[0]?.['total']);
        return { items: found[0]?.['id'] === null ? [] : found.map(nested), total };
      },
      W3: (group) => rows('accounts_of_group', ACCOUNTS_OF_GROUP, [group]),
      W4: async (usage) =>
        (
          await rows(
            'insert_usage',
            INSERT_USAGE,
            USAGE_FIELDS.map((name) => usage[name]),
          )
        )[0]?.['id'],
      W5: (usages) => changed('insert_usages', INSERT_USAGES, many(usages)),
      W6: (id) => changed('delete_key', DELETE_KEY, [id]),
      W7: rename,
      W8: ({ userId, amount }) => changed('deduct', DEDUCT, [amount, userId]),
    },
    faster: {
      W3: { 'with groups': (group) => rows('accounts_with_groups', ACCOUNTS_WITH_GROUPS, [group]) },
      cascade: { 'one statement': (owner) => changed('delete_of_owner', DELETE_OF_OWNER, [owner]) },
      'cascade-small': { 'one statement': (owner) => changed('delete_of_owner', DELETE_OF_OWNER, [owner]) },
    },
    close: () => pool.end(),
  };
}
