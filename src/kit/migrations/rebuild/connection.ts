import type { ClientConfig } from 'pg';

/** A URL, or what `pg` takes. */
export type Connection = string | ClientConfig;
