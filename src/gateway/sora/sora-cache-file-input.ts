import { InvalidInputError } from '../../kit/errors/index.ts';
import { checkId, checkOneOf, checkText } from '../../kit/input/index.ts';
import { publicHttpsUrl } from './public-https-url.ts';
import { type NewSoraCacheFile, SORA_MEDIA, type SoraMedia } from './sora-cache-file-record.ts';

const MB = 1024 * 1024;
const LARGEST: Readonly<Record<SoraMedia, number>> = { image: 20 * MB, video: 200 * MB };

/**
 * What is stored of a file, in the order of the statement: account and user first.
 *
 * @throws InvalidInputError (code VALIDATION).
 */
export function checkedCacheFile(file: NewSoraCacheFile): unknown[] {
  if (file === null || typeof file !== 'object') throw new InvalidInputError('file', 'be given');
  const { taskId } = file;
  const mediaType = checkOneOf('mediaType', file.mediaType, SORA_MEDIA);
  return [
    checkId('accountId', file.accountId),
    checkId('userId', file.userId),
    taskId === undefined || taskId === null ? null : checkText('taskId', taskId, { max: 120 }),
    mediaType,
    publicHttpsUrl('originalUrl', file.originalUrl),
    checkedPath(file.cachePath),
    checkedCacheUrl(file.cacheUrl),
    checkedSize(file.sizeBytes, mediaType),
  ];
}

/** The clean-up removes what lies there, so it must not lead out of the cache. */
function checkedPath(value: unknown): string {
  const path = checkText('cachePath', value, { max: 4096, filled: true });
  if (path.split(/[/\\]/).includes('..')) throw new InvalidInputError('cachePath', 'have no ".." in it');
  return path;
}

/** `//host` and `/\host` are no paths: a browser reads a host there. */
function checkedCacheUrl(value: unknown): string {
  const isPath = typeof value === 'string' && /^\/(?![/\\])/.test(value);
  // Read as a browser would: tabs and line breaks are left out before anything else.
  if (!isPath || /[\t\n\r]/.test(value)) return publicHttpsUrl('cacheUrl', value);
  return checkText('cacheUrl', value, { max: 4096 });
}

function checkedSize(value: unknown, mediaType: SoraMedia): number {
  const largest = LARGEST[mediaType];
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= largest) return value;
  throw new InvalidInputError(
    'sizeBytes',
    `be a whole number from 0 to ${largest}, which is ${largest / MB} MB`,
  );
}
