import { MigrationError } from '../errors.ts';
import type { RunningCode } from './code-versions.ts';

/** What a contract step still waits for. */
export interface Hindrances {
  /** Code that runs and is older than the step allows, with the version that it needs. */
  readonly code: readonly (RunningCode & { readonly needs: string })[];
  /** Files whose back-fills are not verified. */
  readonly backfills: readonly string[];
}

/** A contract step would take away what is still needed. Files before it are applied; nothing of it is. */
export class ContractRefusedError extends MigrationError {
  override readonly name = 'ContractRefusedError';
  readonly hindrances: Hindrances;

  constructor(file: string, hindrances: Hindrances, done: readonly string[]) {
    const before =
      done.length === 0 ? 'No file was applied before it.' : `Applied before it: ${done.join(', ')}.`;
    super(
      'MIGRATION.CONTRACT_REFUSED',
      `${file} is a contract step and cannot be applied yet: ${describe(hindrances)}. ` +
        `Upgrade or end that code, finish those back-fills, and run again; or run with --waive ${file} --reason "…", which is recorded. ${before}`,
      file,
      { hindrances, done },
    );
    this.hindrances = hindrances;
  }
}

function describe({ code, backfills }: Hindrances): string {
  return [
    ...code.map(({ service, version, instances, needs }) => {
      const running = instances === 1 ? '1 instance' : `${instances} instances`;
      return `${service} ${version} is running (${running}), and it needs ${needs}`;
    }),
    ...backfills.map((file) => `the back-fill of ${file} is not verified`),
  ].join('; ');
}
