#!/usr/bin/env node
// Plain JavaScript for any Node: the check must run before anything that an old one cannot load.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import module, { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const sources = new URL('../src/cli/main.ts', import.meta.url);
const inClone = existsSync(sources);
// From the sources, Node itself strips the types, which it does without a flag from 22.18 on.
const oldest = inClone ? [22, 18] : [22, 17];
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);

function newerNode() {
  try {
    return createRequire(import.meta.url).resolve(`node-${process.platform}-${process.arch}/bin/node`);
  } catch {
    return undefined;
  }
}

if (major > oldest[0] || (major === oldest[0] && minor >= oldest[1])) {
  // Half of a short command's time would go into compiling the same sources again.
  module.enableCompileCache();
  const { main } = await import(
    inClone ? sources.href : new URL('../dist/cli/main.js', import.meta.url).href
  );
  await main(process.argv.slice(2));
} else {
  const node = newerNode();
  if (node) {
    const { status, error } = spawnSync(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
      stdio: 'inherit',
    });
    if (error) process.stderr.write(`The newer Node ${node} cannot be started (${error.code}).\n`);
    process.exitCode = status ?? 1;
  } else {
    process.stderr.write(
      `This is Node ${process.versions.node}; tombstone needs ${oldest.join('.')} or newer. Install a newer Node and run it again.\n`,
    );
    process.exitCode = 1;
  }
}
