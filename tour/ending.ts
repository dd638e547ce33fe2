/** Exit codes of a process that a signal ended, as shells report them. */
const EXIT_CODES = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;

/**
 * Runs `cleanUp` once when the tour is interrupted, by a signal or by the death of the process that started it (npm
 * killed with SIGKILL hands nothing on, and the tour would go on unseen).
 */
export function onInterruption(cleanUp: () => Promise<void>): void {
  let ending = false;
  const end = (exitCode: number): void => {
    if (ending) return;
    ending = true;
    void cleanUp().then(
      () => process.exit(exitCode),
      () => process.exit(exitCode),
    );
  };
  for (const [signal, exitCode] of Object.entries(EXIT_CODES)) process.on(signal, () => end(exitCode));
  const parent = process.ppid;
  setInterval(() => process.ppid !== parent && end(EXIT_CODES.SIGHUP), 200).unref();
}
