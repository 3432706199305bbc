/** `weir cameras`: list, add, test, remove, and stream keys of publishers. */

import type { Command } from 'commander';
import { z } from 'zod';
import { appError } from '../../../storage/base/errors.ts';
import type { ApiClient } from '../../api-client/index.ts';
import { nearest } from '../../config/index.ts';
import { apiOf, type CommandContext } from '../command-context.ts';
import { addConfigFlags } from '../config-flags.ts';
import { table } from '../output.ts';
import { addCameraImportCommand } from './cameras-import.ts';
import { addOnvifCommands } from './onvif.ts';

const stateShape = z.looseObject({ state: z.string(), message: z.string().nullable(), isRecording: z.boolean() });
const cameraShape = z.looseObject({
  id: z.string(),
  name: z.string(),
  isEnabled: z.boolean(),
  source: z.looseObject({ kind: z.string(), url: z.string().optional() }),
  recording: z.looseObject({ mode: z.string(), retentionHours: z.number() }),
  state: stateShape.nullable(),
  sub: z.looseObject({ state: stateShape.nullable() }).nullish(),
});
const addedShape = cameraShape.extend({
  streams: z.array(z.looseObject({ name: z.string() })).default([]),
  streamKeys: z.looseObject({ main: z.string().optional() }).optional(),
});
const keyShape = z.looseObject({ streamKey: z.string() });
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
type AddFlags = SourceFlags & {
  readonly test: boolean;
  readonly retentionHours?: string;
  readonly live?: boolean;
  readonly sub?: string;
  readonly recordSub?: boolean;
  readonly rtmp?: boolean;
  readonly whip?: boolean;
  readonly kvs?: boolean;
};

export function addCameraCommands(program: Command, context: CommandContext): void {
  const cameras = program.command('cameras').summary('find, list, add, test and remove cameras');
  const { output } = context;

  const list = cameras.command('list').description('Lists cameras with their state and why they are not live.');
  addConfigFlags(list, 'finding').action(async () => {
    const found = await camerasOf(await apiOf(list, context));
    output.result({ cameras: found }, () =>
      found.length === 0
        ? ['no cameras yet: weir cameras add <name> <url>']
        : table(['name', 'state', 'recording', 'kept', 'url'], found.map(row)),
    );
  });

  const add = cameras
    .command('add <name> [url]')
    .description('Tests a camera and adds it. The URL may have a user and password (rtsp://user:password@host/path).');
  addSourceFlags(add)
    .option('--sub <url>', 'a second, smaller picture of the same scene, for live view and slow players')
    .option('--record-sub', 'record the sub source too')
    .option('--rtmp', 'the camera publishes to this appliance by RTMP: no URL, it gets a stream key')
    .option('--whip', 'the camera publishes by WebRTC (WHIP: browser, OBS, GStreamer): no URL, it gets a stream key')
    .option('--kvs', 'a KVS producer sends it by PutMedia: no URL, it signs with an access key')
    .option('--retention-hours <hours>', 'how long recordings are kept (default: 168)')
    .option('--live', 'keep no recordings, only a few minutes for live players')
    .option('--no-test', 'add it although it may not be reachable now');
  addConfigFlags(add, 'finding').action(async (name: string, url: string | undefined, flags: AddFlags) => {
    const api = await apiOf(add, context);
    const input = await mainInput(url, flags, context);
    const sub = flags.sub === undefined ? undefined : addressInput(flags.sub, flags);
    if (flags.test) {
      if (url !== undefined) await requireWorking(api, input, context);
      if (sub !== undefined) await requireWorking(api, { ...input, source: withUserOf(url, sub) }, context);
    }
    const camera = addedShape.parse(
      await api.call('POST', '/api/cameras', {
        name,
        ...input,
        ...mainRecording(flags),
        ...(sub === undefined ? {} : { sub: { source: sub, recording: subRecording(flags) } }),
      }),
    );
    const streamKey = camera.streamKeys?.main;
    output.result(camera, () => [
      `added ${camera.name} (${camera.id})`,
      ...(flags.whip === true ? camera.streams.map(({ name }) => whipLine(name)) : []),
      ...(streamKey === undefined ? [] : keyLines(streamKey)),
      ...(flags.kvs === true ? camera.streams.map(({ name }) => `its KVS stream: ${name}`) : []),
    ]);
  });

  const key = cameras
    .command('key <camera>')
    .description('Makes a new stream key for a camera that publishes by RTMP or WHIP. The old one ends at once.');
  addConfigFlags(key, 'finding').action(async (name: string) => {
    const api = await apiOf(key, context);
    const camera = await cameraNamed(api, name);
    const made = keyShape.parse(await api.call('POST', `/api/cameras/${camera.id}/stream-key`, {}));
    output.result(made, () => keyLines(made.streamKey));
  });

  const test = cameras
    .command('test <camera-or-url>')
    .description('Connects to a camera as the recorder would, and tells what it sends.');
  addConfigFlags(addSourceFlags(test), 'finding').action(async (what: string, flags: SourceFlags) => {
    if (/^[a-z][a-z\d+.-]*:\/\//i.test(what) && !isPulled(what)) throw notPulled(what);
    const api = await apiOf(test, context);
    const result = isPulled(what)
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

  addCameraImportCommand(cameras, context);
  addOnvifCommands(cameras, context);
}

function addSourceFlags(command: Command): Command {
  return command
    .option('--username <name>', 'user of the camera')
    .option('--password-stdin', 'read its password from standard input')
    .option('--transport <tcp|udp>', 'how media travels (default: tcp)')
    .option('--any-certificate', 'rtsps: take a self-signed certificate');
}

async function mainInput(url: string | undefined, flags: AddFlags, context: CommandContext) {
  const ways = [...(['rtmp', 'whip', 'kvs'] as const).filter((kind) => flags[kind] === true), url].filter(
    (way) => way !== undefined,
  );
  if (ways.length === 1) {
    if (url !== undefined) return await sourceInput(url, flags, context);
    return { source: { kind: ways[0] } };
  }
  throw appError(
    'invalid_argument',
    ways.length === 0 ? 'the URL is missing' : 'a camera that is pulled has a URL, one that sends by itself has none',
    { hint: 'weir cameras add <name> rtsp://host/path, or weir cameras add <name> --rtmp, --whip or --kvs' },
  );
}

function mainRecording({ live, retentionHours }: AddFlags) {
  if (live !== true && retentionHours === undefined) return {};
  return {
    recording: {
      ...(retentionHours === undefined ? {} : { retentionHours: Number(retentionHours) }),
      ...(live === true ? { mode: 'live' } : {}),
    },
  };
}

function subRecording(flags: AddFlags) {
  return {
    mode: flags.recordSub === true ? 'continuous' : 'live',
    ...(flags.retentionHours === undefined ? {} : { retentionHours: Number(flags.retentionHours) }),
  };
}

function whipLine(streamName: string): string {
  return `it publishes to https://<this server>:8443/whip/${encodeURIComponent(streamName)} with the key as its bearer token`;
}

function keyLines(streamKey: string): string[] {
  return [`stream key: ${streamKey}`, 'It is shown this once: enter it in the camera or encoder now.'];
}

function addressInput(url: string, flags: SourceFlags) {
  return {
    kind: 'rtsp',
    url,
    ...(flags.transport === undefined ? {} : { transport: flags.transport }),
    ...(flags.anyCertificate === true ? { tls: 'any' } : {}),
  };
}

/** A sub source at the main one's host is asked with the same user, as it will be when it is saved. */
function withUserOf(mainUrl: string | undefined, sub: ReturnType<typeof addressInput>) {
  const ofUrl = /^(rtsps?:\/\/)([^/?#]*@)?([^/?#@]+)/i;
  const [, , user, host] = ofUrl.exec(mainUrl ?? '') ?? [];
  const [, scheme, ownUser, ownHost] = ofUrl.exec(sub.url) ?? [];
  if (user === undefined || ownUser !== undefined || scheme === undefined || host !== ownHost) return sub;
  return { ...sub, url: sub.url.replace(scheme, `${scheme}${user}`) };
}

async function sourceInput(url: string, flags: SourceFlags, context: CommandContext) {
  const password = flags.passwordStdin === true ? (await context.readInput()).replace(/\r?\n$/, '') : '';
  const source = addressInput(url, flags);
  return flags.username === undefined ? { source } : { source, credentials: { username: flags.username, password } };
}

function storedInput(camera: Camera) {
  if (camera.source.kind !== 'rtsp') {
    throw appError('failed_precondition', 'a camera that publishes connects by itself: there is nothing to test', {
      hint: 'weir cameras list says whether it does',
    });
  }
  return { source: camera.source, cameraId: camera.id };
}

function isPulled(address: string): boolean {
  return /^rtsps?:/i.test(address);
}

/** The address itself is not repeated: there may be a password in it. */
function notPulled(address: string) {
  const isHttp = /^https?:/i.test(address);
  const scheme = address.slice(0, address.indexOf(':') + 3).toLowerCase();
  return appError(
    'invalid_argument',
    `${scheme} is no address that Weir can pull from: it pulls rtsp:// and rtsps://`,
    {
      hint: isHttp
        ? 'weir cameras profiles asks a camera that speaks ONVIF at such an address what it has'
        : 'encoders that send by RTMP or WHIP come by themselves: weir cameras add <name> --rtmp or --whip',
    },
  );
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

function stateText(word: string, message: string | null | undefined): string {
  return message === null || message === undefined || message === '' ? word : `${word}: ${message}`;
}

function row(camera: Camera): string[] {
  const { state, isEnabled } = camera;
  const word = isEnabled ? (state?.state ?? 'unknown') : 'disabled';
  const subState = isEnabled ? camera.sub?.state : undefined;
  const isSubWell = subState === null || subState === undefined || subState.state === 'live';
  return [
    camera.name,
    isSubWell
      ? stateText(word, state?.message)
      : `${stateText(word, state?.message)}; sub ${stateText(subState.state, subState.message)}`,
    state?.isRecording === true ? 'yes' : 'no',
    camera.recording.mode === 'live' ? 'live only' : `${(camera.recording.retentionHours / 24).toFixed(1)} days`,
    camera.source.url ?? camera.source.kind,
  ];
}
