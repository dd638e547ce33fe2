import type { NewUsage } from 'tombstone/gateway';
import type { Random } from '../../crash/random.ts';
import { amountOf, unitsOf } from '../amount.ts';

type Used = Pick<
  NewUsage,
  | 'model'
  | 'inputTokens'
  | 'outputTokens'
  | 'totalCost'
  | 'actualCost'
  | 'rateMultiplier'
  | 'durationMs'
  | 'firstTokenMs'
  | 'stream'
  | 'userAgent'
  | 'ipAddress'
>;

/** What a request used: costs up to 0.05 with all ten decimals, and now and then nothing, which writes no line of the ledger. */
export function randomUsage(random: Random, rateMultiplier: string): Used {
  const total = random.next() < 0.02 ? 0n : BigInt(1 + random.below(500_000_000));
  const actual = (total * unitsOf(rateMultiplier)) / unitsOf('1');
  const durationMs = 200 + random.below(20_000);
  return {
    model: `model ${random.below(5)}`,
    inputTokens: random.below(8000),
    outputTokens: random.below(2000),
    totalCost: amountOf(total),
    actualCost: amountOf(actual),
    rateMultiplier,
    durationMs,
    firstTokenMs: Math.floor(durationMs / 4),
    stream: random.next() < 0.8,
    userAgent: 'load/1',
    ipAddress: '10.1.2.3',
  };
}
