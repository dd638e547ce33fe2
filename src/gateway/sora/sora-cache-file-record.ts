import { type StoredInstant, storedInstant } from '../../kit/orm/index.ts';
import type { Id } from '../../kit/columns/index.ts';

export const SORA_MEDIA = ['image', 'video'] as const;
export type SoraMedia = (typeof SORA_MEDIA)[number];

/** A picture or a video on a disk of ours. */
export interface SoraCacheFileRecord {
  readonly id: Id;
  readonly taskId: string | null;
  readonly accountId: Id;
  readonly userId: Id;
  readonly mediaType: string;
  readonly originalUrl: string;
  readonly cachePath: string;
  readonly cacheUrl: string;
  readonly sizeBytes: number;
  readonly createdAt: Date;
}

export interface NewSoraCacheFile {
  /** At most 120 characters. */
  readonly taskId?: string | null;
  readonly accountId: Id;
  readonly userId: Id;
  readonly mediaType: SoraMedia;
  /** https, of a public host. */
  readonly originalUrl: string;
  /** Where it lies; no part of it is `..`. */
  readonly cachePath: string;
  /** https, of a public host; or a path that begins with `/`, of the service itself. */
  readonly cacheUrl: string;
  /** At most 20 MB for a picture and 200 MB for a video, of 1024 times 1024 bytes. */
  readonly sizeBytes: number;
}

export type SoraCacheFileRow = Omit<SoraCacheFileRecord, 'sizeBytes' | 'createdAt'> & {
  readonly sizeBytes: string;
  readonly createdAt: StoredInstant;
};

/** The columns of a table called `f`, by the names of the record. */
export const SORA_CACHE_FILE_COLUMNS = `f.id, f.task_id as "taskId", f.account_id as "accountId", f.user_id as "userId",
  f.media_type as "mediaType", f.original_url as "originalUrl", f.cache_path as "cachePath", f.cache_url as "cacheUrl",
  coalesce(f.size_bytes, 0)::text as "sizeBytes", f.created_at as "createdAt"`;

export function soraCacheFileRecord(row: SoraCacheFileRow): SoraCacheFileRecord {
  return { ...row, sizeBytes: Number(row.sizeBytes), createdAt: storedInstant(row.createdAt) };
}
