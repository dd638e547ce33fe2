const DEFAULT = 20;
const LARGEST = 1000;

/** How many items of a list are wanted, within its limits. */
export function pageLimit(limit = DEFAULT): number {
  return limit >= 1 ? Math.min(Math.floor(limit), LARGEST) : DEFAULT;
}
