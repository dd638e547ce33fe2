import type { Id } from '../../kit/columns/index.ts';
import { InvalidInputError } from '../../kit/errors/index.ts';
import { checkOptionalId } from '../../kit/input/index.ts';
import {
  type DataEntityManager,
  rowReader,
  runPrepared,
  scopedStatement,
  type StoredInstant,
  storedInstant,
} from '../../kit/orm/index.ts';
import { Group } from '../groups/group.entity.ts';
import { groupRecord } from '../groups/group-record.ts';
import { User } from '../users/user.entity.ts';
import {
  apiKeyRecord,
  type ApiKeyRecord,
  type ApiKeyWithRelations,
  type KeyOwner,
  withKey,
} from './api-key-record.ts';
import { ApiKey } from './api-key.entity.ts';

type Row = Readonly<Record<string, unknown>>;
type Visible = Parameters<Parameters<typeof scopedStatement>[1]>[0];

// The password's hash stays where it is.
const OWNER = [
  'email',
  'username',
  'notes',
  'role',
  'balance',
  'concurrency',
  'status',
  'createdAt',
  'updatedAt',
] as const;

const readers = () => ({
  key: rowReader(ApiKey, 'k'),
  user: rowReader(User, 'u', OWNER),
  group: rowReader(Group, 'g'),
});

const columns = (): string =>
  Object.values(readers())
    .map((reader) => reader.columns)
    .join(', ');

const joins = (visible: Visible): string => `
  left join users u on u.id = k.user_id and ${visible(User, 'u')}
  left join groups g on g.id = k.group_id and ${visible(Group, 'g')}`;

const READS_DATES = { readsDates: true };

const one = (column: 'id' | 'key') =>
  scopedStatement(
    `gateway_api_key_by_${column}`,
    // Groups are few: joined, all of them would be read for this one.
    (visible) => {
      const { key, user, group } = readers();
      return `select ${key.columns}, ${user.columns}, its.* from api_keys k
        left join users u on u.id = k.user_id and ${visible(User, 'u')}
        left join lateral (
          select ${group.columns} from groups g where g.id = k.group_id and ${visible(Group, 'g')} limit 1
        ) its on true
        where k.${column} = $1 and ${visible(ApiKey, 'k')}`;
    },
    READS_DATES,
  );

// The total needs every key of the owner or the group anyway, and the page is cut from the same ids. Asked for on its own, the
// page may be planned as a walk down the primary key, past the keys of all others.
const page = (column: 'user_id' | 'group_id') =>
  scopedStatement(
    `gateway_api_keys_by_${column}`,
    (visible) => `with own as materialized (
        select k.id from api_keys k where k.${column} = $1 and ${visible(ApiKey, 'k')}
      )
      select t.total, ${columns()}
      from (select count(*) as total from own) t
      left join (select id from own order by id desc limit $2 offset $3) p on true
      left join api_keys k on k.id = p.id and ${visible(ApiKey, 'k')} ${joins(visible)}
      order by p.id desc`,
    READS_DATES,
  );

const byIds = scopedStatement(
  'gateway_api_keys_by_ids',
  (visible) => `select k.id, k.user_id as "userId", k.key, k.name, k.group_id as "groupId", k.status,
      k.ip_whitelist as "ipWhitelist", k.ip_blacklist as "ipBlacklist", k.created_at as "createdAt", k.updated_at as "updatedAt"
    from api_keys k where k.id = any ($1::bigint[]) and ${visible(ApiKey, 'k')}`,
  READS_DATES,
);

const BY = { id: one('id'), key: one('key') } as const;
const PAGES = { userId: page('user_id'), groupId: page('group_id') } as const;

/** The key with this id or value, its owner and its group, in one prepared statement. */
export async function readKey(
  em: DataEntityManager,
  by: keyof typeof BY,
  value: string,
): Promise<ApiKeyWithRelations | null> {
  const [row] = await runPrepared<Row>(em, BY[by](), [value]);
  return (row && recordsOf([row])[0]) ?? null;
}

type ApiKeyRow = Omit<ApiKeyRecord, 'createdAt' | 'updatedAt'> & {
  readonly createdAt: StoredInstant;
  readonly updatedAt: StoredInstant;
};

/** The keys with these ids, alone, in the order of the ids, in one prepared statement. */
export async function readKeysById(em: DataEntityManager, ids: readonly Id[]): Promise<ApiKeyRecord[]> {
  const asked = distinctIds(ids);
  if (asked.length === 0) return [];
  const rows = await runPrepared<ApiKeyRow>(em, byIds(), [asked]);
  const found = new Map<Id, ApiKeyRecord>();
  for (const row of rows) found.set(row.id, recordOf(row));
  return asked.flatMap((id) => found.get(id) ?? []);
}

/** Each property by its name: a copy of the rest of a row takes three times as long. */
function recordOf(row: ApiKeyRow): ApiKeyRecord {
  const record = {
    id: row.id,
    userId: row.userId,
    name: row.name,
    groupId: row.groupId,
    status: row.status,
    ipWhitelist: row.ipWhitelist,
    ipBlacklist: row.ipBlacklist,
    createdAt: storedInstant(row.createdAt),
    updatedAt: storedInstant(row.updatedAt),
  };
  return withKey(record, row.key);
}

/** In the order in which each is met first. */
function distinctIds(ids: readonly Id[]): Id[] {
  if (!Array.isArray(ids)) throw new InvalidInputError('ids', 'be a list of ids');
  return [...new Set(Array.from(ids, (id) => checkOptionalId('ids', id)))].filter((id) => id !== undefined);
}

/** Keys of a user or of a group, newest first, and how many there are, in one prepared statement. */
export async function readKeys(
  em: DataEntityManager,
  by: keyof typeof PAGES,
  id: Id,
  { limit, offset }: { limit: number; offset: number },
): Promise<[ApiKeyWithRelations[], number]> {
  const rows = await runPrepared<Row>(em, PAGES[by](), [id, limit, offset]);
  return [recordsOf(rows), Number(rows[0]?.['total'])];
}

function recordsOf(rows: readonly Row[]): ApiKeyWithRelations[] {
  const { key, user, group } = readers();
  return rows.flatMap((row) => {
    const own = key.read(row);
    if (!own) return [];
    const [owner, its] = [user.read(row), group.read(row)];
    const relations = { user: (owner as KeyOwner | undefined) ?? null, group: its ? groupRecord(its) : null };
    return [Object.assign(apiKeyRecord(own), relations)];
  });
}
