import { type ChildProcess, spawn } from 'node:child_process';

/** A shell program that outlives this process by the moment it takes to clean up. */
export interface Guard {
  /** Lets it clean up, and waits for its end. */
  end(): Promise<void>;
}

/**
 * Starts a shell program that waits for the end of its standard input. This process holds the other end, so that the program
 * goes on to its last lines also when this process is killed.
 *
 * @param words what the program sees as `$1`, `$2` and so on.
 */
export function startGuard(program: string, words: readonly string[]): Guard {
  const child = spawn('/bin/sh', ['-c', program, 'tombstone-crash-guard', ...words], {
    cwd: '/',
    // Ctrl-C in a terminal reaches this process only.
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
    env: { PATH: process.env['PATH'] ?? '/usr/local/bin:/usr/bin:/bin', LANG: 'C', TZ: 'UTC' },
  });
  child.stdin?.on('error', () => undefined);
  const ended = endOf(child);
  return {
    end: async () => {
      child.stdin?.end();
      await ended;
    },
  };
}

const KEEP = `
log=$1; shift
"$@" </dev/null >>"$log" 2>&1 &
child=$!
cat >/dev/null
kill -QUIT $child 2>/dev/null
wait $child
`;

/** Runs a server in the foreground of a guard, whose end is the server's end. */
export function keepServer(log: string, command: readonly string[]): Guard {
  return startGuard(KEEP, [log, ...command]);
}

function endOf(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    child.once('exit', () => resolve());
    child.once('error', () => resolve());
  });
}
