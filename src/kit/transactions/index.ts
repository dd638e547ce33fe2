export { type RetryOptions, retryTransaction } from './retry-transaction.ts';
