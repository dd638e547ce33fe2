import type { ClientConfig } from 'pg';
import type { MigrationEvent } from './events.ts';
import type { Direction } from './execution.ts';
import type { MigrationSource } from './files.ts';
import type { Variables } from './substitute.ts';
import type { TimeoutOptions } from './timeouts.ts';

export interface MigratorOptions {
  /** A URL, or what `pg` takes; its password is never printed. */
  readonly connection: string | ClientConfig;
  /** In the order in which their migrations run. */
  readonly modules: readonly MigrationSource[];
  /** How long to wait for another run to end, in milliseconds. Default 10 minutes. */
  readonly lockTimeoutMs?: number;
  /** How often to ask for the lock, in milliseconds. Default 500. */
  readonly lockPollMs?: number;
  /** How long the holder of the lock may be idle before its program is suspected of being gone, in milliseconds. Default 60,000. */
  readonly suspectIdleMs?: number;
  /** How long statements wait for locks and run, and how often a file is tried again. */
  readonly timeouts?: TimeoutOptions;
  /** Values for `-- +goose ENVSUB ON`. The engine never reads the environment; without this no variable is set. */
  readonly variables?: Variables;
  /** Look at the running statement this often, in milliseconds, from a second connection. Left out: never. */
  readonly statementProgressMs?: number | undefined;
  onProgress?(event: MigrationEvent): void;
}

/** One file that a run has applied or reverted. */
export interface MigrationStep {
  readonly name: string;
  readonly module: string;
  readonly path: string;
  readonly ms: number;
}

export interface MigrationResult {
  readonly direction: Direction;
  readonly steps: readonly MigrationStep[];
  /** Milliseconds, waiting for the lock included. */
  readonly ms: number;
}
