// Plain JavaScript that any Node can read: it runs before anything that an old Node could not even parse.
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
const oldest = { major: 22, minor: 18 };

if (major < oldest.major || (major === oldest.major && minor < oldest.minor)) {
  process.stderr.write(
    `This is Node ${process.versions.node}; running Tombstone from its sources needs ${oldest.major}.${oldest.minor} or newer.\n` +
      'npm ci installs a suitable one for Linux beside the other packages, and npm scripts and npx use it: ' +
      'run the command through npm, or install a newer Node.\n',
  );
  process.exit(1);
}
