/**
 * A file comes in beside a camera that records. Every picture of both is counted from outside: while it goes well, and when the
 * command, the recording process and the server are killed in the middle of it.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { type RunningAppliance, startAppliance } from '../kit/appliance.ts';
import { judgeFrames, startCameraSimulator } from '../kit/camera-simulator/index.ts';
import { addSimulated, timeline, untilRecorded } from '../kit/footage.ts';
import { checkFindings, segmentFiles } from '../kit/judge.ts';
import { runCommand } from '../kit/run-command.ts';
import { temporaryDirectory } from '../kit/temp.ts';
import { until } from '../kit/until.ts';

const entry = fileURLToPath(new URL('../../appliance/main.ts', import.meta.url));
const small = { widthPixels: 640, heightPixels: 360, bitsPerSecond: 500_000, gopFrames: 25, framesPerSecond: 25 };
const rounds = 6;
const pictures = rounds * 250;
const minuteMs = 60_000;

type Shown = { readonly state: string; readonly mediaMs: number; readonly alreadyThere: number };

/** A minute of 20 Mb/s, so that there is a middle to be killed in. */
async function makeFile(directory: string): Promise<string> {
  const noise = 'testsrc2=size=1280x720:rate=25:duration=10,noise=alls=40:allf=t';
  const rate = ['-b:v', '20M', '-maxrate', '20M', '-bufsize', '20M'];
  const video = ['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', '-g', '25', ...rate];
  const part = join(directory, 'part.mp4');
  const list = join(directory, 'list.txt');
  const whole = join(directory, 'evening.mp4');
  const tone = ['-f', 'lavfi', '-i', 'sine=frequency=440:duration=10'];
  await ffmpeg(['-f', 'lavfi', '-i', noise, ...tone, ...video, '-c:a', 'aac', part]);
  await writeFile(list, `file '${part}'\n`.repeat(rounds));
  await ffmpeg(['-f', 'concat', '-safe', '0', '-i', list, '-c', 'copy', whole]);
  return whole;
}

async function ffmpeg(args: readonly string[]): Promise<void> {
  const { code, err } = await runCommand('ffmpeg', ['-v', 'error', '-y', ...args]);
  if (code !== 0) throw new Error(`ffmpeg: ${err}`);
}

function importArgs(dataDirectory: string, file: string, atMs: number): string[] {
  const where = ['--camera', 'Camera 0', '--at', new Date(atMs).toISOString()];
  return [entry, 'import', file, ...where, '--data-directory', dataDirectory, '--json'];
}

/** Pictures of a clip of the imported span, counted by ffprobe. */
async function picturesOf(appliance: RunningAppliance, streamId: string, atMs: number): Promise<number> {
  const span = `begin=${atMs}&end=${atMs + rounds * 10_000}`;
  const path = join(await temporaryDirectory(), 'clip.mp4');
  await writeFile(path, await appliance.bytes(`/api/streams/${streamId}/clip.mp4?${span}`));
  const count = ['-count_packets', '-select_streams', 'v', '-show_entries', 'stream=nb_read_packets', '-of', 'csv=p=0'];
  const { out, err } = await runCommand('ffprobe', ['-v', 'error', ...count, path]);
  expect(err).toBe('');
  return Number.parseInt(out, 10);
}

test('a file comes in whole beside a recording camera, whoever is killed meanwhile', { timeout: 240_000 }, async () => {
  const dataDirectory = await temporaryDirectory();
  const simulator = await startCameraSimulator({ cameras: 1, mode: 'paced', clip: small });
  onTestFinished(() => simulator.close());
  const appliance = await startAppliance({ dataDirectory });
  onTestFinished(() => appliance.close());
  const [camera] = await addSimulated(appliance, simulator, 1);
  const { cameraId = '', streamId = '' } = camera ?? {};
  const beganMs = Date.now();
  const file = await makeFile(await temporaryDirectory());
  await untilRecorded(appliance, streamId, beganMs + 2_000);
  const first = Math.floor(beganMs - 30 * minuteMs);
  const second = Math.floor(beganMs - 10 * minuteMs);

  // It goes well: the camera notices nothing.
  const well = await runCommand(process.execPath, importArgs(dataDirectory, file, first));
  expect(well.code).toBe(0);
  const importedMs = Date.now();
  await untilRecorded(appliance, streamId, importedMs + 3_000);
  const live = await judgeFrames(await segmentFiles(dataDirectory, streamId));
  expect({ missing: live.missing, doubled: live.doubled }).toEqual({ missing: [], doubled: [] });
  expect(await picturesOf(appliance, streamId, first)).toBe(pictures);

  // Recording process, server, and the command itself are killed in the middle.
  const shown = async () => {
    const { imports } = (await appliance.call('GET', `/api/cameras/${cameraId}/imports`)) as { imports: Shown[] };
    return imports.find(({ state }) => state === 'running');
  };
  for (const victim of ['ingest', 'serve', 'command'] as const) {
    const command = spawn(process.execPath, importArgs(dataDirectory, file, second), { stdio: 'ignore' });
    const ended = once(command, 'exit');
    // What an earlier attempt stored is passed over fast: a later one may end before it is seen.
    await until('the import is in its middle', async () => {
      return command.exitCode !== null || ((await shown())?.mediaMs ?? 0) > 15_000;
    });
    if (victim === 'command') command.kill('SIGKILL');
    else await appliance.kill(victim);
    const [code] = await ended;
    if (victim === 'ingest') expect(code).not.toBe(0);
    await until('the appliance answers again', () => appliance.call('GET', '/readyz'));
    await untilRecorded(appliance, streamId, Date.now() + 2_000);
  }
  const last = await runCommand(process.execPath, importArgs(dataDirectory, file, second));
  expect(last.code).toBe(0);
  const { imports } = JSON.parse(last.out) as { imports: Shown[] };
  expect(imports[0]?.state).toBe('done');
  expect(imports[0]?.alreadyThere).toBeGreaterThan(0);
  expect(await picturesOf(appliance, streamId, second)).toBe(pictures);
  // Its last minute has a row a moment after it is durable.
  await until('the timeline shows it whole', async () => {
    const { spans } = await timeline(appliance, streamId, second - minuteMs);
    const whole = spans.find(({ beginMs }) => beginMs === second);
    return Math.abs((whole?.endMs ?? 0) - second - rounds * 10_000) < 500;
  });
  await appliance.close();

  expect(await checkFindings(dataDirectory)).toEqual([]);
});
