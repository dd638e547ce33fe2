/** On a subscriber of flushes that has nothing to say about one that removes nothing, which may then go its short way. */
export const REMOVALS_ONLY = Symbol.for('tombstone:removals-only');
