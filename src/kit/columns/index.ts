export { bigintId, type Id } from './id.ts';
export { type Amount, money } from './money.ts';
export { timestamps } from './timestamps.ts';
