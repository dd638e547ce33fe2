import type { LintFile, LintStatement } from './tree.ts';

/** `error` makes the command fail. */
export type Severity = 'error' | 'warning';

/** One thing that a migration should not do, and what to do instead. */
export interface LintRule {
  /** Stable; waivers and the documentation name it. */
  readonly id: string;
  readonly severity: Severity;
  /** What is wrong and why, in one sentence. */
  readonly sentence: string;
  /** The safe way, in one sentence. */
  readonly alternative: string;
  /** Looks at one statement of Up; gives back what it is about, such as a table, when the rule is broken. */
  check(statement: LintStatement, file: LintFile): string | undefined;
}

/** A broken rule in a file. */
export interface LintFinding {
  readonly file: string;
  readonly line: number;
  readonly rule: string;
  readonly severity: Severity;
  /** It stands in the Down; otherwise in the Up, or in neither. */
  readonly isInDown: boolean;
  /** What it is about, such as a table or a column. */
  readonly about: string;
  readonly sentence: string;
  readonly alternative: string;
}
