const SCALE = 10;

/** An amount in units of the tenth decimal, in which sums are exact. */
export function unitsOf(amount: string): bigint {
  const [, sign = '', whole = '0', decimals = ''] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(amount) ?? [];
  return BigInt(`${sign}${whole}${decimals.padEnd(SCALE, '0').slice(0, SCALE)}`);
}

/** The decimal text of units of the tenth decimal. */
export function amountOf(units: bigint): string {
  const digits = (units < 0n ? -units : units).toString().padStart(SCALE + 1, '0');
  return `${units < 0n ? '-' : ''}${digits.slice(0, -SCALE)}.${digits.slice(-SCALE)}`;
}
