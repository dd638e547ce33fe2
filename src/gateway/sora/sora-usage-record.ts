import { type StoredInstant, storedInstant, storedInstantOrNull } from '../../kit/orm/index.ts';
import type { Id } from '../../kit/columns/index.ts';

/** How often an account has succeeded and failed. The counters of today are those of the UTC day of the database. */
export interface SoraUsageRecord {
  readonly accountId: Id;
  readonly imageCount: number;
  readonly videoCount: number;
  readonly errorCount: number;
  readonly lastErrorAt: Date | null;
  readonly todayImageCount: number;
  readonly todayVideoCount: number;
  readonly todayErrorCount: number;
  /** `YYYY-MM-DD`: the UTC day of the last success or error; null for none. */
  readonly todayDate: string | null;
  readonly consecutiveErrorCount: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/** A row of a statement that selects {@link SORA_USAGE_COLUMNS}. */
export type SoraUsageRow = Omit<SoraUsageRecord, 'lastErrorAt' | 'createdAt' | 'updatedAt'> & {
  readonly lastErrorAt: StoredInstant | null;
  readonly createdAt: StoredInstant;
  readonly updatedAt: StoredInstant;
};

/** The UTC day of a statement, whatever the session's zone is. */
export const UTC_DAY = `(statement_timestamp() at time zone 'UTC')::date`;

const ofToday = (counter: string): string =>
  `case when s.today_date = ${UTC_DAY} then coalesce(s.${counter}, 0) else 0 end`;

/** The columns of a table called `s`; counters of another day than today count as zero. */
export const SORA_USAGE_COLUMNS = `s.account_id as "accountId", coalesce(s.image_count, 0) as "imageCount",
  coalesce(s.video_count, 0) as "videoCount", coalesce(s.error_count, 0) as "errorCount", s.last_error_at as "lastErrorAt",
  ${ofToday('today_image_count')} as "todayImageCount", ${ofToday('today_video_count')} as "todayVideoCount",
  ${ofToday('today_error_count')} as "todayErrorCount", s.today_date::text as "todayDate",
  coalesce(s.consecutive_error_count, 0) as "consecutiveErrorCount", s.created_at as "createdAt", s.updated_at as "updatedAt"`;

export function soraUsageRecord(row: SoraUsageRow): SoraUsageRecord {
  return {
    ...row,
    lastErrorAt: storedInstantOrNull(row.lastErrorAt),
    createdAt: storedInstant(row.createdAt),
    updatedAt: storedInstant(row.updatedAt),
  };
}
