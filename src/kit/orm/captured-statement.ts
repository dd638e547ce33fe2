/** A statement that the ORM has made and that was not sent, and its builder, which knows the aliases of its joins. */
export interface CapturedStatement {
  sql?: string;
  params?: readonly unknown[];
  builder?: object;
}

const CAPTURE = Symbol('capture');

/** What is logged of a call, with the order to keep its statement instead of sending it. */
export function capturing(logging: object | undefined, sink: CapturedStatement): object {
  return { ...logging, [CAPTURE]: sink };
}

/** Where a call's statement is to be kept; undefined for one that is to be sent. */
export function captureOf(logging: unknown): CapturedStatement | undefined {
  return (logging as { [CAPTURE]?: CapturedStatement } | undefined)?.[CAPTURE];
}
