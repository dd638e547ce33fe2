import type { Severity } from '../lint/rule.ts';
import type { DoctorFacts } from './facts.ts';

/** One place where a rule is broken. */
export interface Ailment {
  /** `table.name`, or what else the rule is about; waivers name it. */
  readonly about: string;
  /** The statements that mend it, each to be run by itself and outside a transaction; empty where code has to change. */
  readonly sql: readonly string[];
}

/** One thing that makes soft delete wrong or slow in a database. */
export interface DoctorRule {
  /** Stable; waivers and the documentation name it. */
  readonly id: string;
  readonly severity: Severity;
  /** What is wrong and why, in one sentence. */
  readonly sentence: string;
  /** What to do, in one sentence. */
  readonly alternative: string;
  check(facts: DoctorFacts): Ailment[];
}

/** A broken rule in a database. */
export interface DoctorFinding extends Ailment {
  readonly rule: string;
  readonly severity: Severity;
  readonly sentence: string;
  readonly alternative: string;
}
