import { RetentionError } from './retention-error.ts';

const PART = String.raw`[1-9]\d{0,5} (?:second|minute|hour|day|week|month|year)s?`;
const FORM = new RegExp(`^${PART}(?: ${PART})*$`);

/**
 * How long rows stay dead before they may go, in PostgreSQL's words: `30 days`, `1 year 6 months`.
 *
 * @throws RetentionError for what is no positive interval; zero would remove what was deleted by mistake a moment ago.
 */
export function checkInterval(text: unknown): string {
  if (typeof text === 'string' && FORM.test(text)) return text;
  throw RetentionError.badInterval();
}
