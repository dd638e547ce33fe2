/** A version as three numbers; nothing else is one here, so that two of them always have an order. */
export type Version = readonly [major: number, minor: number, patch: number];

/** Undefined for a text that is not MAJOR.MINOR.PATCH. */
export function versionOf(text: string): Version | undefined {
  const match = /^(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})$/.exec(text);
  return match ? [Number(match[1]), Number(match[2]), Number(match[3])] : undefined;
}

/** Whether the first version is below the second. */
export function isOlder(version: Version, than: Version): boolean {
  for (const [index, part] of version.entries()) {
    const other = than[index] ?? 0;
    if (part !== other) return part < other;
  }
  return false;
}
