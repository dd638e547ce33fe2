/** What a list of latencies comes to, in milliseconds. */
export interface Percentiles {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/**
 * Every latency of an operation, as it was measured. A minute has some hundred thousand of them, which is a megabyte, so nothing
 * is gained from a histogram that rounds them into buckets.
 */
export class Samples {
  #values = new Float64Array(1024);
  #count = 0;

  add(value: number): void {
    if (this.#count === this.#values.length) {
      const longer = new Float64Array(2 * this.#count);
      longer.set(this.#values);
      this.#values = longer;
    }
    this.#values[this.#count] = value;
    this.#count += 1;
  }

  /** A copy, in the order in which they came. */
  values(): Float64Array {
    return this.#values.slice(0, this.#count);
  }
}

/** Of the latencies of all processes; the value of a rank is one that was measured (nearest rank). Of none they are 0. */
export function percentilesOf(parts: readonly Float64Array[]): Percentiles {
  const all = new Float64Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    all.set(part, offset);
    offset += part.length;
  }
  all.sort();
  const at = (share: number): number => all[Math.max(0, Math.ceil(share * all.length) - 1)] ?? 0;
  return { p50: at(0.5), p99: at(0.99), max: at(1) };
}
