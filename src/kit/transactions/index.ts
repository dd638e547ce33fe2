export { type Attempts, retryLostRace } from './retry-lost-race.ts';
export { retryStatement } from './retry-statement.ts';
export { type RetryOptions, retryTransaction } from './retry-transaction.ts';
