import { accessSync, constants } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';

const SOURCES: Readonly<Record<string, string>> = {
  'step-ca': 'github.com/smallstep/certificates/cmd/step-ca@v0.30.2',
  step: 'github.com/smallstep/cli/cmd/step@v0.21.0',
};

/** Where a command is: PATH, then where Go puts what it installs. @throws Error with how to get it */
export function findCommand(name: string): string {
  const { PATH = '', GOBIN = '', GOPATH = '', XDG_CACHE_HOME = join(homedir(), '.cache') } = process.env;
  const folders = [
    ...PATH.split(delimiter),
    GOBIN,
    GOPATH === '' ? join(homedir(), 'go/bin') : join(GOPATH, 'bin'),
    // Where .ci/run puts them.
    join(XDG_CACHE_HOME, 'phoenix-proxy/bin'),
  ];
  for (const folder of folders) {
    if (folder === '') continue;
    try {
      accessSync(join(folder, name), constants.X_OK);
      return join(folder, name);
    } catch {
      // Not there.
    }
  }
  throw new Error(
    `${name} is not installed (not in PATH, GOBIN or ~/go/bin): packages are at https://smallstep.com/docs/step-ca/installation, or with Go:\n  CGO_ENABLED=0 go install ${SOURCES[name] ?? name}`,
  );
}
