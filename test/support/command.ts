import { spawn } from 'node:child_process';
import { resolve } from 'node:path';

export const ROOT = resolve(import.meta.dirname, '../..');

/** What a command printed and how it ended. */
export interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** A command that goes on. */
export interface Running extends Promise<Ended> {
  kill(signal: NodeJS.Signals): void;
  /** What it has printed so far. */
  printed(): string;
}

/** Runs a program of this repository with this process's Node; the environment has no database of its own. */
export function run(args: readonly string[], env: NodeJS.ProcessEnv = {}, cwd = ROOT): Running {
  const { DATABASE_URL: _url, NODE_OPTIONS: _options, FORCE_COLOR: _color, ...rest } = process.env;
  const child = spawn(process.execPath, args, {
    cwd,
    env: { ...rest, NO_COLOR: '1', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  let err = '';
  child.stdout.on('data', (data: Buffer) => (out += data.toString()));
  child.stderr.on('data', (data: Buffer) => (err += data.toString()));
  const ended = new Promise<Ended>((done) => child.once('close', (code) => done({ code, out, err })));
  return Object.assign(ended, {
    kill: (signal: NodeJS.Signals) => void child.kill(signal),
    printed: () => out + err,
  });
}
