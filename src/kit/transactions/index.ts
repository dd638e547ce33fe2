export { type Attempts, retryLostRace } from './retry-lost-race.ts';
export { type RetryOptions, retryTransaction } from './retry-transaction.ts';
