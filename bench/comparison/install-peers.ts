import { execFileSync, type ExecFileSyncOptions } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const PEERS_FOLDER = fileURLToPath(new URL('../peers', import.meta.url));
const INSTALLED = join(PEERS_FOLDER, 'node_modules/.installed-lock.json');
/** A copy of what the client in the same folder was generated from. */
const GENERATED = join(PEERS_FOLDER, 'generated/schema.prisma');

/** Installs what `bench/peers` needs, when it is not there in this version. Answers whether it is there now. */
export function installPeers(say: (line: string) => void): boolean {
  const lock = readFileSync(join(PEERS_FOLDER, 'package-lock.json'), 'utf8');
  const schema = readFileSync(join(PEERS_FOLDER, 'schema.prisma'), 'utf8');
  try {
    if (!isCopy(INSTALLED, lock)) {
      say('Installing the libraries to compare with into bench/peers/node_modules: some 450 MB, once.');
      npmCi();
      writeFileSync(INSTALLED, lock);
    }
    if (!isCopy(GENERATED, schema)) {
      generatePrismaClient();
      writeFileSync(GENERATED, schema);
    }
    return true;
  } catch {
    say('!!! THE PEERS COULD NOT BE INSTALLED. Only the libraries of this repository are compared.');
    say('!!! Run "npm ci" in bench/peers to see why.');
    return false;
  }
}

const isCopy = (file: string, text: string): boolean =>
  existsSync(file) && readFileSync(file, 'utf8') === text;

function npmCi(): void {
  const npm = process.env['npm_execpath'];
  const args = ['ci', '--ignore-scripts', '--no-audit', '--no-fund'];
  const options: ExecFileSyncOptions = { cwd: PEERS_FOLDER, stdio: ['ignore', 'ignore', 'inherit'] };
  if (npm) execFileSync(process.execPath, [npm, ...args], options);
  else execFileSync('npm', args, options);
}

/**
 * Prisma would load an engine from a server of its own, which generating a client does not use; the name of some program
 * that is there keeps it from that.
 */
function generatePrismaClient(): void {
  execFileSync(process.execPath, ['node_modules/prisma/build/index.js', 'generate', '--no-hints'], {
    cwd: PEERS_FOLDER,
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, PRISMA_SCHEMA_ENGINE_BINARY: process.execPath },
  });
}
