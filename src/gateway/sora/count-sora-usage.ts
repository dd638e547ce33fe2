import type { Id } from '../../kit/columns/index.ts';
import { type DataEntityManager, type PreparedStatement, runPrepared } from '../../kit/orm/index.ts';
import { retryStatement } from '../../kit/transactions/index.ts';
import { liveOwner } from './lock-account.ts';
import { UTC_DAY } from './sora-usage-record.ts';

/** What happened at an account. */
export type SoraOutcome = 'image' | 'video' | 'error';

const COUNTERS = ['image', 'video', 'error'] as const;

// A day never goes back: of two transactions around midnight the earlier one may write last, and counts for the new day then.
const rolled = (counter: string): string =>
  `today_${counter}_count = case when s.today_date >= excluded.today_date then coalesce(s.today_${counter}_count, 0) else 0 end
    + excluded.today_${counter}_count`;

const total = (counter: string): string =>
  `${counter}_count = coalesce(s.${counter}_count, 0) + excluded.${counter}_count`;

// All three counters of the day roll over in each statement, whichever of them it adds to.
const statementOf = (outcome: SoraOutcome): PreparedStatement => {
  const ones = COUNTERS.map((counter) => (counter === outcome ? 1 : 0)).join(', ');
  const isError = outcome === 'error';
  return {
    name: `gateway_sora_count_${outcome}`,
    text: `with ${liveOwner('$1')}
      insert into sora_usage_stats as s (account_id, image_count, video_count, error_count,
        today_image_count, today_video_count, today_error_count, today_date, consecutive_error_count, last_error_at)
      select id, ${ones}, ${ones}, ${UTC_DAY}, ${isError ? '1, now()' : '0, null::timestamptz'} from owner
      on conflict (account_id) do update set ${COUNTERS.map(total).join(', ')}, ${COUNTERS.map(rolled).join(', ')},
        today_date = greatest(s.today_date, excluded.today_date),
        consecutive_error_count = ${isError ? 'coalesce(s.consecutive_error_count, 0) + 1' : '0'},
        last_error_at = coalesce(excluded.last_error_at, s.last_error_at), updated_at = now()
      returning s.consecutive_error_count as consecutive`,
  };
};

const STATEMENTS: Readonly<Record<SoraOutcome, PreparedStatement>> = {
  image: statementOf('image'),
  video: statementOf('video'),
  error: statementOf('error'),
};

/** Counts in one statement; answers how many errors have followed each other by now, null where the account is not live. */
export async function countSoraUsage(
  em: DataEntityManager,
  accountId: Id,
  outcome: SoraOutcome,
): Promise<number | null> {
  const count = () => runPrepared<{ consecutive: number }>(em, STATEMENTS[outcome], [accountId]);
  const [row] = await retryStatement(em, count);
  return row?.consecutive ?? null;
}
