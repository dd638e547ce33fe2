// Fails when a server or a temporary directory of an embedded PostgreSQL is left although nothing of ours runs any more.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';

const PREFIX = 'tombstone-pg-';

function processes() {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .flatMap((pid) => {
      try {
        return [`${pid} ${readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim()}`];
      } catch {
        return []; // It ended while we looked.
      }
    })
    .filter((line) => line.includes(PREFIX));
}

if (process.platform !== 'linux') process.exit(0);
const directories = ['/dev/shm', tmpdir()]
  .filter((directory) => existsSync(directory))
  .flatMap((directory) => readdirSync(directory).map((name) => `${directory}/${name}`))
  .filter((path) => path.includes(PREFIX));
const left = [...processes(), ...directories];
for (const item of left) console.error(`left behind: ${item}`);
process.exit(left.length > 0 ? 1 : 0);
