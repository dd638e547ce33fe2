import type { DataEntityManager } from '../../kit/orm/index.ts';

/** Whether the move of allowed groups from the array to the table is complete, in numbers. */
export interface AllowedGroupsProof {
  /** 0: only the array; 1: array and table; 2: only the table. */
  readonly phase: 0 | 1 | 2;
  /**
   * Distinct pairs of a user and an existing group in the arrays; in phase 2, where no array exists, the pairs of the table
   * whose user and group exist.
   */
  readonly pairsExpected: number;
  readonly pairsWritten: number;
  readonly orphansRecorded: number;
  /** Pairs that the arrays have and the table has not: the first anti-join. Always 0 in phase 2. */
  readonly missing: number;
  /** Pairs that the table has and the arrays have not: the second anti-join. In phase 2, pairs without a user or a group. */
  readonly unexpected: number;
}

type Counts = Omit<AllowedGroupsProof, 'phase'>;

const OBJECTS = `select
  exists (select from pg_attribute where attrelid = to_regclass('users') and attname = 'allowed_groups' and not attisdropped) as "array",
  to_regclass('user_allowed_groups') is not null as "table",
  to_regclass('orphan_allowed_groups_audit') is not null as "audit"`;

const WAIVER = '/* soft-delete: all rows, because a deleted user or group keeps its pairs when they move */';

const IN_ARRAYS = `${WAIVER} select distinct u.id as user_id, g.id as group_id
  from users u cross join lateral unnest(u.allowed_groups) as allowed (group_id)
  join groups g on g.id = allowed.group_id`;

const BOTH = `with arrays as (${IN_ARRAYS}), pairs as (select user_id, group_id from user_allowed_groups)
  select (select count(*) from arrays)::int as "pairsExpected", (select count(*) from pairs)::int as "pairsWritten",
    (select count(*) from (select * from arrays except select * from pairs) m)::int as missing,
    (select count(*) from (select * from pairs except select * from arrays) m)::int as unexpected`;

const ONLY_ARRAY = `select count(*)::int as "pairsExpected", 0 as "pairsWritten", count(*)::int as missing, 0 as unexpected
  from (${IN_ARRAYS}) arrays`;

// Without an array only the table itself can be checked: a load that ran with the foreign keys off leaves pairs of nothing.
const ONLY_TABLE = `${WAIVER} select count(*) filter (where u.id is not null and g.id is not null)::int as "pairsExpected",
    count(*)::int as "pairsWritten", 0 as missing, count(*) filter (where u.id is null or g.id is null)::int as unexpected
  from user_allowed_groups a left join users u on u.id = a.user_id left join groups g on g.id = a.group_id`;

const ORPHANS = 'select count(*)::int as orphans from orphan_allowed_groups_audit';

/**
 * Compares arrays and table by anti-joins in both directions; equal counts alone can hide a pair too many and one too few.
 * It reads only, and works on a database in any phase.
 */
export async function verifyAllowedGroups(em: DataEntityManager): Promise<AllowedGroupsProof> {
  const [objects] = await em.execute<{ array: boolean; table: boolean; audit: boolean }[]>(OBJECTS);
  const phase = objects?.table ? (objects.array ? 1 : 2) : 0;
  const [counts] = await em.execute<Omit<Counts, 'orphansRecorded'>[]>(
    [ONLY_ARRAY, BOTH, ONLY_TABLE][phase] ?? BOTH,
  );
  const [audit] = objects?.audit ? await em.execute<{ orphans: number }[]>(ORPHANS) : [];
  const none = { pairsExpected: 0, pairsWritten: 0, missing: 0, unexpected: 0 };
  return { phase, ...none, ...counts, orphansRecorded: audit?.orphans ?? 0 };
}
