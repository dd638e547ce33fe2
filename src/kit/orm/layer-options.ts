import type { Configuration } from '@mikro-orm/core';
import type { DomainErrors } from '../errors/index.ts';

/** What the layer keeps in MikroORM's own options, beside the options that MikroORM knows. */
export interface LayerOptions {
  readonly domainErrors: DomainErrors;
}

/** The key in the options; a configuration without it (plain `defineConfig`) has no domain errors. */
export const LAYER_OPTIONS = 'tombstone';

/** The domain errors of all configured modules. */
export function domainErrorsOf(config: Configuration): DomainErrors {
  const options = config.get(LAYER_OPTIONS as never) as LayerOptions | undefined;
  return options?.domainErrors ?? { constraints: {}, notFound: {} };
}
