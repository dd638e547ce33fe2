/** What a caller asks for; both parts may be missing, zero or out of range. */
export interface PageRequest {
  /** Counted from 1. Default 1. */
  readonly page?: number;
  /** Default 20, at most 100. */
  readonly pageSize?: number;
}

/** One page of a list. */
export interface Page<T> {
  readonly items: readonly T[];
  readonly total: number;
  readonly page: number;
  /** As clamped, which is what `pages` and the offset are computed with. */
  readonly pageSize: number;
  /** 0 for an empty result. */
  readonly pages: number;
}

const DEFAULT_SIZE = 20;
const LARGEST_SIZE = 100;
// Its offset is still an exact number, and a bigint to PostgreSQL; "Infinity" would be neither.
const LARGEST_PAGE = Math.floor(Number.MAX_SAFE_INTEGER / LARGEST_SIZE);

/** The request within its limits, and the offset that belongs to it; null asks for nothing in particular. */
export function clampPage(request: PageRequest | null): {
  page: number;
  limit: number;
  offset: number;
} {
  const { page = 1, pageSize = DEFAULT_SIZE } = request ?? {};
  const limit = pageSize >= 1 ? Math.min(Math.floor(pageSize), LARGEST_SIZE) : DEFAULT_SIZE;
  const number = page >= 1 ? Math.min(Math.floor(page), LARGEST_PAGE) : 1;
  return { page: number, limit, offset: (number - 1) * limit };
}

/** Puts a page together; `limit` and `page` as {@link clampPage} gave them. */
export function pageOf<T>(
  items: readonly T[],
  total: number,
  { page, limit }: { page: number; limit: number },
): Page<T> {
  return { items, total, page, pageSize: limit, pages: Math.ceil(total / limit) };
}
