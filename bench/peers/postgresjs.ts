import postgres, { type Row } from 'postgres';
import { type Connections, type Library, newName, type Usage, USAGE_FIELDS } from '../comparison/library.ts';
import { ALL_BY_HAND } from '../comparison/trees/deletions.ts';
import { deletionsOf } from './deletion/postgresjs.ts';
import {
  ACCOUNTS_OF_GROUP,
  BY_KEY,
  column,
  DEDUCT,
  DELETE_KEY,
  INSERT_USAGE,
  KEYS_TO_RENAME,
  nested,
  PAGE_OF_KEYS,
  RENAME_KEYS,
} from '../comparison/statements.ts';

const BIGINT = 20;

/** postgres.js, which prepares every statement by itself and sends the next one before the last is answered. */
export async function open({ url, size }: Connections): Promise<Library> {
  const sql = postgres(url, {
    max: size,
    types: { bigint: { to: BIGINT, from: [BIGINT], serialize: String, parse: String } },
  });
  const rows = async (text: string, values: readonly unknown[]): Promise<readonly Row[]> =>
    sql.unsafe(text, values as never[], { prepare: true });
  return {
    ways: {
      ...deletionsOf(sql),
      W1: async (key) => {
        const [row] = await rows(BY_KEY, [key]);
        return row && nested(row);
      },
      W2: async ({ groupId, offset }) => {
        const found = await rows(PAGE_OF_KEYS, [groupId, offset]);
        const total = Number(found[0]?.['total']);
        return { items: found[0]?.['id'] === null ? [] : found.map(nested), total };
      },
      W3: (group) => rows(ACCOUNTS_OF_GROUP, [group]),
      W4: async (usage) =>
        (
          await rows(
            INSERT_USAGE,
            USAGE_FIELDS.map((name) => usage[name]),
          )
        )[0]?.['id'],
      W5: (usages) => sql`insert into usage_logs ${sql(usages.map(asColumns))}`,
      W6: (id) => rows(DELETE_KEY, [id]),
      W7: async ({ ids, round }) => {
        const keys = await rows(KEYS_TO_RENAME, [ids]);
        for (const key of keys) key['name'] = newName(String(key['id']), round);
        return rows(RENAME_KEYS, [keys.map((key) => key['id']), keys.map((key) => key['name'])]);
      },
      W8: ({ userId, amount }) => rows(DEDUCT, [amount, userId]),
    },
    byHand: ALL_BY_HAND,
    close: () => sql.end(),
  };
}

const asColumns = (usage: Usage): Record<string, string | number> =>
  Object.fromEntries(USAGE_FIELDS.map((field) => [column(field), usage[field]]));
