import type { Variables } from '../kit/migrations/index.ts';
import { URL_VARIABLES } from './secrets.ts';

/** Values for files with `-- +goose ENVSUB ON`. URLs of databases are none of them: they hold passwords. */
export function variablesOf(environment: NodeJS.ProcessEnv, allowRaw = false): Variables {
  const isUrl = (name: string): boolean => URL_VARIABLES.some((each) => each === name);
  return { lookup: (name) => (isUrl(name) ? undefined : environment[name]), allowRaw };
}
