/** `weir cameras`: list, add, test, remove. */

import type { Command } from 'commander';
import { z } from 'zod';
import { appError } from '../../../storage/base/errors.ts';
import type { ApiClient } from '../../api-client/index.ts';
import { nearest } from '../../config/index.ts';
import { apiOf, type CommandContext } from '../command-context.ts';
import { addConfigFlags } from '../config-flags.ts';
import { table } from '../output.ts';

const cameraShape = z.looseObject({
  id: z.string(),
  name: z.string(),
  isEnabled: z.boolean(),
  source: z.looseObject({ url: z.string() }),
  recording: z.looseObject({ isRecording: z.boolean(), retentionHours: z.number() }),
  state: z.looseObject({ state: z.string(), message: z.string().nullable(), isRecording: z.boolean() }).nullable(),
});
const listShape = z.looseObject({ cameras: z.array(cameraShape) });
const testShape = z.looseObject({
  ok: z.boolean(),
  tracks: z.array(z.looseObject({ text: z.string() })),
  warnings: z.array(z.string()),
  fault: z.looseObject({ reason: z.string(), message: z.string(), hint: z.string().nullable() }).nullable(),
});

type Camera = z.infer<typeof cameraShape>;
type SourceFlags = {
  readonly username?: string;
  readonly passwordStdin?: boolean;
  readonly transport?: string;
  readonly anyCertificate?: boolean;
};
type AddFlags = SourceFlags & { readonly test: boolean; readonly retentionHours?: string };

export function addCameraCommands(program: Command, context: CommandContext): void {
  const cameras = program.command('cameras').summary('list, add, test and remove cameras');
  const { output } = context;

  const list = cameras.command('list').description('Lists cameras with their state and why they are not live.');
  addConfigFlags(list, 'finding').action(async () => {
    const found = await camerasOf(await apiOf(list, context));
    output.result({ cameras: found }, () =>
      found.length === 0
        ? ['no cameras yet: weir cameras add <name> <url>']
        : table(['name', 'state', 'recording', 'days', 'url'], found.map(row)),
    );
  });

  const add = cameras
    .command('add <name> <url>')
    .description('Tests a camera and adds it. The URL may have a user and password (rtsp://user:password@host/path).');
  addSourceFlags(add)
    .option('--retention-hours <hours>', 'how long recordings are kept (default: 168)')
    .option('--no-test', 'add it although it may not be reachable now');
  addConfigFlags(add, 'finding').action(async (name: string, url: string, flags: AddFlags) => {
    const api = await apiOf(add, context);
    const input = await sourceInput(url, flags, context);
    if (flags.test) await requireWorking(api, input, context);
    const recording =
      flags.retentionHours === undefined ? {} : { recording: { retentionHours: Number(flags.retentionHours) } };
    const camera = cameraShape.parse(await api.call('POST', '/api/cameras', { name, ...input, ...recording }));
    output.result(camera, () => [`added ${camera.name} (${camera.id})`]);
  });

  const test = cameras
    .command('test <camera-or-url>')
    .description('Connects to a camera as the recorder would, and tells what it sends.');
  addConfigFlags(addSourceFlags(test), 'finding').action(async (what: string, flags: SourceFlags) => {
    const api = await apiOf(test, context);
    const result = /^rtsps?:/i.test(what)
      ? await testCamera(api, await sourceInput(what, flags, context), context)
      : await testCamera(api, storedInput(await cameraNamed(api, what)), context);
    output.result(result, () => [
      ...result.tracks.map((track) => track.text),
      ...result.warnings.map((text) => `warning: ${text}`),
    ]);
    if (result.fault !== null) throw faultError(result.fault);
  });

  const remove = cameras
    .command('remove <camera>')
    .description('Removes a camera. What was recorded stays for as long as its retention says.');
  addConfigFlags(remove, 'finding').action(async (name: string) => {
    const api = await apiOf(remove, context);
    const camera = await cameraNamed(api, name);
    await api.call('DELETE', `/api/cameras/${camera.id}`);
    output.result({ removed: camera.id }, () => [`removed ${camera.name}`]);
  });
}

function addSourceFlags(command: Command): Command {
  return command
    .option('--username <name>', 'user of the camera')
    .option('--password-stdin', 'read its password from standard input')
    .option('--transport <tcp|udp>', 'how media travels (default: tcp)')
    .option('--any-certificate', 'rtsps: take a self-signed certificate');
}

async function sourceInput(url: string, flags: SourceFlags, context: CommandContext) {
  const password = flags.passwordStdin === true ? (await context.readInput()).replace(/\r?\n$/, '') : '';
  const source = {
    kind: 'rtsp',
    url,
    ...(flags.transport === undefined ? {} : { transport: flags.transport }),
    ...(flags.anyCertificate === true ? { tls: 'any' } : {}),
  };
  return flags.username === undefined ? { source } : { source, credentials: { username: flags.username, password } };
}

function storedInput(camera: Camera) {
  return { source: camera.source, cameraId: camera.id };
}

async function testCamera(api: ApiClient, input: object, { output }: CommandContext) {
  return testShape.parse(
    await output.progress('testing the camera', () => api.call('POST', '/api/cameras/test', input)),
  );
}

async function requireWorking(api: ApiClient, input: object, context: CommandContext): Promise<void> {
  const { fault, tracks, warnings } = await testCamera(api, input, context);
  if (fault !== null) throw faultError(fault, 'it was not added; --no-test adds it all the same');
  for (const text of [...tracks.map((track) => track.text), ...warnings]) context.output.note(text);
}

function faultError(fault: { readonly message: string; readonly hint: string | null }, also?: string) {
  const hint = [fault.hint, also].filter((text) => text !== null && text !== undefined).join('; ');
  return appError('unavailable', fault.message, hint === '' ? {} : { hint });
}

async function camerasOf(api: ApiClient): Promise<Camera[]> {
  return listShape.parse(await api.call('GET', '/api/cameras')).cameras;
}

/** By name or id. */
async function cameraNamed(api: ApiClient, name: string): Promise<Camera> {
  const all = await camerasOf(api);
  const found = all.find((camera) => camera.name === name) ?? all.find((camera) => camera.id === name);
  if (found !== undefined) return found;
  const suggestion = nearest(
    name,
    all.map((camera) => camera.name),
  );
  throw appError(
    'not_found',
    `there is no camera ${name}`,
    suggestion === undefined ? {} : { hint: `did you mean ${suggestion}?` },
  );
}

function row(camera: Camera): string[] {
  const { state, isEnabled } = camera;
  const word = isEnabled ? (state?.state ?? 'unknown') : 'disabled';
  const why = state?.message ?? '';
  return [
    camera.name,
    why === '' ? word : `${word}: ${why}`,
    state?.isRecording === true ? 'yes' : 'no',
    (camera.recording.retentionHours / 24).toFixed(1),
    camera.source.url,
  ];
}
