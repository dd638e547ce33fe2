import type { OriginalSize } from './fill.ts';

export const GROUPS_OF_ROWS = 20;

export const accountsOf = ({ users }: OriginalSize): number =>
  Math.min(2000, Math.max(60, Math.floor(users / 500)));

export const subscriptionsOf = ({ users }: OriginalSize): number => Math.floor(users / 5);
