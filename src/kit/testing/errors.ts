/** What went wrong while providing a test server or a test database. */
export type TestServerErrorCode =
  | 'TESTING.NO_BINARIES'
  | 'TESTING.START_FAILED'
  | 'TESTING.UNREACHABLE'
  | 'TESTING.TOO_OLD'
  | 'TESTING.DATABASE_FAILED';

/**
 * The only error this door throws on purpose. The message names the remedy and never holds a password; a
 * connection string appears in it without user and password.
 */
export class TestServerError extends Error {
  override readonly name = 'TestServerError';
  readonly code: TestServerErrorCode;

  constructor(code: TestServerErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** A SQLSTATE or a Node error code: enough to look the cause up, and never user data. */
export function errorCodeOf(error: unknown): string {
  // Not by instanceof: test runners give every test file an Error class of its own.
  if (typeof error !== 'object' || error === null || !('code' in error)) return 'no error code';
  return typeof error.code === 'string' ? error.code : 'no error code';
}
