import type { Variables } from '../kit/migrations/index.ts';

/** Values for files with `-- +goose ENVSUB ON`. DATABASE_URL is none of them: it holds the password of the target. */
export function variablesOf(environment: NodeJS.ProcessEnv, allowRaw = false): Variables {
  return { lookup: (name) => (name === 'DATABASE_URL' ? undefined : environment[name]), allowRaw };
}
