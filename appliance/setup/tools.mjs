/**
 * Programs from the distribution: ffmpeg for pictures and clips, and for the tests real cameras, players and judges that are not
 * ours. Installed as root or by sudo without a password; otherwise named, and we go on with what is there.
 */

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { runQuietly } from './child.mjs';
import { commandPath } from './command-path.mjs';
import { say } from './progress.mjs';

const libraries = `/usr/lib/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu`;
const plugin = (name) => join(libraries, 'gstreamer-1.0', `libgst${name}.so`);

/** Each package with one file or command that only it brings: looking is faster than asking the package manager. */
const startTools = [{ name: 'ffmpeg', commands: ['ffmpeg'] }];
const testTools = [
  ...startTools,
  { name: 'chromium', commands: ['chromium', 'chromium-browser', 'google-chrome'] },
  { name: 'mkvtoolnix', commands: ['mkvinfo'] },
  { name: 'openssl', commands: ['openssl'] },
  { name: 'faketime', commands: ['faketime'] },
  { name: 'python3-gi', file: '/usr/lib/python3/dist-packages/gi/__init__.py' },
  { name: 'gir1.2-gst-rtsp-server-1.0', file: join(libraries, 'girepository-1.0/GstRtspServer-1.0.typelib') },
  { name: 'gstreamer1.0-plugins-base', file: plugin('videotestsrc') },
  { name: 'gstreamer1.0-plugins-good', file: plugin('rtp') },
  { name: 'gstreamer1.0-plugins-bad', file: plugin('videoparsersbad') },
  { name: 'gstreamer1.0-plugins-ugly', file: plugin('x264') },
  { name: 'gstreamer1.0-libav', file: plugin('libav') },
  { name: 'gstreamer1.0-nice', file: plugin('nice') },
  { name: 'gir1.2-gst-plugins-bad-1.0', file: join(libraries, 'girepository-1.0/GstWebRTC-1.0.typelib') },
  { name: 'python3-boto3', file: '/usr/lib/python3/dist-packages/boto3/__init__.py' },
  { name: 'awscli', commands: ['aws'] },
  { name: 'coturn', commands: ['turnserver'] },
  { name: 'nats-server', file: '/usr/sbin/nats-server' },
];

/** What runs tests needs what they talk to. */
const testVerbs = new Set(['test', 'conformance']);

export function toolsStep(verb) {
  const missing = (testVerbs.has(verb) ? testTools : startTools)
    .filter((tool) => !isThere(tool))
    .map((tool) => tool.name);
  return {
    title: `install ${missing.join(', ')} from the distribution`,
    isNeeded: () => missing.length > 0,
    async run() {
      const apt = aptCommand();
      if (apt === undefined) {
        sayHowTo(missing);
        return 'not installed, going on without';
      }
      const failed = await install(apt, missing);
      if (failed.length === 0) return undefined;
      say(`the distribution did not give ${failed.join(', ')}: what needs them will say so`);
      return `${missing.length - failed.length} of ${missing.length} installed`;
    },
  };
}

function isThere(tool) {
  if (tool.file !== undefined) return existsSync(tool.file);
  return tool.commands.some((command) => inPath(command));
}

function inPath(command) {
  return commandPath(command) !== undefined;
}

/** `apt-get` with the rights it needs, or undefined. */
function aptCommand() {
  if (!inPath('apt-get')) return undefined;
  if (process.getuid?.() === 0) return ['apt-get'];
  const sudo = spawnSync('sudo', ['-n', 'true'], { stdio: 'ignore' });
  return sudo.status === 0 ? ['sudo', '-n', 'apt-get'] : undefined;
}

/** Returns the packages that could not be installed. One unknown name makes apt refuse all, so then each is tried alone. */
async function install(apt, names) {
  const get = (...args) => {
    const [command, ...rest] = ['env', 'DEBIAN_FRONTEND=noninteractive', ...apt, '-q', '-y', ...args];
    return runQuietly(command, rest);
  };
  const succeeds = (...args) =>
    get(...args).then(
      () => true,
      () => false,
    );
  await succeeds('update');
  if (await succeeds('install', '--no-install-recommends', ...names)) return [];
  const failed = [];
  for (const name of names) {
    if (!(await succeeds('install', '--no-install-recommends', name))) failed.push(name);
  }
  return failed;
}

function sayHowTo(names) {
  if (inPath('apt-get')) say(`as root: apt-get install -y ${names.join(' ')}`);
  else say(`install ${names.join(', ')} (so named in Debian) by the package manager of this system`);
}
