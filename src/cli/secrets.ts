/** The variables that hold URLs of databases, with passwords in them. */
export const URL_VARIABLES = ['DATABASE_URL', 'SCRATCH_DATABASE_URL', 'CLOCK_DATABASE_URL'] as const;

/**
 * A text of unknown origin, such as the message of an error in somebody's configuration, without the URLs and passwords of
 * databases.
 */
export function withoutSecrets(text: string, environment: NodeJS.ProcessEnv): string {
  const urls = URL_VARIABLES.map((name) => environment[name] ?? '');
  const secrets = urls.flatMap((url) => [url, ...passwordsIn(url)]).filter((secret) => secret !== '');
  return secrets.reduce((clean, secret) => clean.replaceAll(secret, '***'), text);
}

/** As written and as decoded; also in a text that is no URL to the parser, such as one with a blank in its password. */
function passwordsIn(url: string): string[] {
  const inAuthority = /^[^:]*:\/\/[^:@/]*:(.*)@/s.exec(url)?.[1] ?? '';
  const inQuery = /[?&]password=([^&]*)/.exec(url)?.[1] ?? '';
  return [inAuthority, inQuery].flatMap((password) => [password, decoded(password)]);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
