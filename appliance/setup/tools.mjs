/**
 * Programs from the distribution: ffmpeg for pictures and clips, and for the tests real cameras, players and judges that are not
 * ours. Installed as root or by sudo without a password; otherwise named, and we go on with what is there.
 */

import { join } from 'node:path';
import process from 'node:process';
import { aptCommand, howToInstall, installPackages, missingOf } from './distribution.mjs';
import { workerThere, workerTools } from './mediasoup-place.mjs';
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
  const missing = missingOf(toolsOf(verb));
  return {
    title: `install ${missing.join(', ')} from the distribution`,
    isNeeded: () => missing.length > 0,
    async run() {
      const apt = aptCommand();
      if (apt === undefined) {
        say(howToInstall(missing));
        return 'not installed, going on without';
      }
      const failed = await installPackages(apt, missing);
      if (failed.length === 0) return undefined;
      say(`the distribution did not give ${failed.join(', ')}: what needs them will say so`);
      return `${missing.length - failed.length} of ${missing.length} installed`;
    },
  };
}

/** Tests wait for the worker of WebRTC, so its compiler comes with their tools; a start does not, and its builder gets it. */
function toolsOf(verb) {
  if (!testVerbs.has(verb)) return startTools;
  return workerThere() === undefined ? [...testTools, ...workerTools] : testTools;
}
