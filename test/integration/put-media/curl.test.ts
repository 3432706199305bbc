import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryDirectory } from '../../kit/temp.ts';
import { startPutMedia } from './put-media-kit.ts';

const hasCurl = spawnSync('curl', ['--version']).stdout?.includes('libcurl/') === true;

test.skipIf(!hasCurl)(
  '(33, 34, 45) libcurl, which carries the native producers, sends what ffmpeg writes to a pipe as it is encoded',
  async () => {
    const { produce: _, site, credentials, stored } = await startPutMedia();
    const caFile = join(await temporaryDirectory(), 'ca.pem');
    await writeFile(caFile, site.ca);
    const picture = ['-re', '-f', 'lavfi', '-i', 'testsrc2=size=160x120:rate=25:duration=4'];
    const codec = [
      '-c:v',
      'libx264',
      '-preset',
      'ultrafast',
      '-tune',
      'zerolatency',
      '-pix_fmt',
      'yuv420p',
      '-g',
      '25',
    ];
    const pipe = ['-f', 'matroska', '-cluster_time_limit', '1000', '-flush_packets', '1', '-'];
    const ffmpeg = spawn('ffmpeg', ['-v', 'error', ...picture, ...codec, ...pipe], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const headers = {
      'x-amzn-stream-name': 'door',
      'x-amzn-fragment-timecode-type': 'RELATIVE',
      'x-amzn-producer-start-timestamp': String(Math.floor(Date.now() / 1_000)),
      'x-amz-content-sha256': 'UNSIGNED-PAYLOAD',
      expect: '100-continue',
    };
    const curl = spawn(
      'curl',
      [
        ...['--silent', '--show-error', '--no-buffer', '--http1.1', '--cacert', caFile, '-X', 'POST', '-T', '-'],
        ...['--aws-sigv4', 'aws:amz:us-east-1:kinesisvideo'],
        ...['--user', `${credentials.accessKeyId}:${credentials.secretAccessKey}`],
        ...Object.entries(headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`]),
        ...['-w', '%{http_code}', `https://localhost:${site.port}/putMedia`],
      ],
      { stdio: ['pipe', 'pipe', 'pipe'] },
    );
    ffmpeg.stdout.pipe(curl.stdin);
    let said = '';
    const told: { readonly atMs: number; readonly text: string }[] = [];
    curl.stdout.on('data', (bytes: Buffer) => told.push({ atMs: performance.now(), text: bytes.toString() }));
    curl.stderr.on('data', (bytes: Buffer) => {
      said += bytes.toString();
    });
    const endedMs = once(ffmpeg, 'exit').then(() => performance.now());
    const [code] = await once(curl, 'exit');

    const lines = told
      .map(({ text }) => text)
      .join('')
      .split('\n');
    expect({ code, said, status: lines.at(-1) }).toEqual({ code: 0, said: '', status: '200' });
    const acks = lines.slice(0, -1).map((line) => JSON.parse(line));
    const fragments = (await stored()).flatMap((file) => file.fragments);
    expect(fragments.reduce((sum, { tracks }) => sum + (tracks[0]?.samples ?? 0), 0)).toBe(100);
    expect(acks.filter(({ EventType }) => EventType === 'PERSISTED')).toHaveLength(fragments.length);
    // Told while it was sent.
    expect(told[0]?.atMs).toBeLessThan(await endedMs);
  },
);
