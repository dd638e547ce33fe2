import { isDataError } from '../../kit/errors/index.ts';

const LENGTH = 100;

/**
 * What is stored of an error: the name of its class, and its code when it is one of ours. Never its message, which may name
 * values of rows.
 */
export function errorName(error: unknown): string {
  const thrown = error as { readonly constructor?: { readonly name?: unknown } } | null | undefined;
  const name = word(thrown?.constructor?.name) ?? 'unknown';
  return (isDataError(error) && word(error.code) ? `${name} ${error.code}` : name).slice(0, LENGTH);
}

/** A class may be given any text for its name; only what looks like one is. */
function word(text: unknown): string | undefined {
  return typeof text === 'string' && /^[A-Za-z_$][\w$.]*$/.test(text) ? text : undefined;
}
