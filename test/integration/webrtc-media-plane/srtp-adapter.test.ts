/** The one piece of ours on the way of encrypted media: libsrtp 3's calls by libsrtp 2, in C. */

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { runCommand } from '../../kit/run-command.ts';
import { temporaryDirectory } from '../../kit/temp.ts';

const adapter = join(import.meta.dirname, '../../../appliance/setup/mediasoup/stand-ins/libsrtp3');
/** The worker was built on this machine, or it came from elsewhere and so did what it is made of. */
const canCompile =
  spawnSync('cc', ['--version']).status === 0 && spawnSync('pkg-config', ['--exists', 'libsrtp2']).status === 0;

test.skipIf(!canCompile)(
  'packets of every profile come back as they were; changed, repeated and too long ones are refused, keys of a wrong length too',
  async () => {
    const program = join(await temporaryDirectory(), 'srtp-adapter');
    const flags = spawnSync('pkg-config', ['--cflags', '--libs', 'libsrtp2'], { encoding: 'utf8' }).stdout.trim();
    const sources = [join(import.meta.dirname, 'srtp-adapter.c'), join(adapter, 'adapter.c')];
    const warnings = ['-Wall', '-Wextra', '-Werror', '-std=gnu11'];
    const checks = ['-fsanitize=undefined', '-fno-sanitize-recover'];

    const compiled = await runCommand('cc', [
      ...[...warnings, ...checks, '-I', join(adapter, 'include'), ...sources],
      ...[...flags.split(/\s+/), '-o', program],
    ]);
    expect(compiled).toMatchObject({ code: 0, err: '' });

    expect(await runCommand(program, [])).toEqual({
      code: 0,
      err: '',
      out: [
        'AEAD_AES_256_GCM: 16 bytes more',
        'AEAD_AES_128_GCM: 16 bytes more',
        'AES_CM_128_HMAC_SHA1_80: 10 bytes more',
        'AES_CM_128_HMAC_SHA1_32: 4 bytes more\n',
      ].join('\n'),
    });
  },
);
