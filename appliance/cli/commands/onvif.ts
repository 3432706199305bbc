/** `weir cameras discover`, `profiles` and `add-onvif`: cameras found, looked at and added by ONVIF. */

import type { Command } from 'commander';
import { z } from 'zod';
import { appError } from '../../../storage/base/errors.ts';
import { apiOf, type CommandContext } from '../command-context.ts';
import { addConfigFlags } from '../config-flags.ts';
import { table } from '../output.ts';

const text = z.string().nullable();

const foundShape = z.looseObject({
  devices: z.array(
    z.looseObject({
      name: text,
      hardware: text,
      address: z.string(),
      urls: z.array(z.string()),
      cameraId: text,
    }),
  ),
});

const profilesShape = z.looseObject({
  manufacturer: text,
  model: text,
  clock: z.looseObject({ offsetMs: z.number() }).nullable(),
  profiles: z.array(
    z.looseObject({
      token: z.string(),
      name: z.string(),
      codec: text,
      widthPixels: z.number().nullable(),
      heightPixels: z.number().nullable(),
      framesPerSecond: z.number().nullable(),
      url: text,
      fault: text,
    }),
  ),
  channels: z.array(z.looseObject({ main: z.string(), sub: text, camera: z.looseObject({}), videoSource: text })),
});

type DiscoverFlags = {
  readonly address?: readonly string[];
  readonly port?: readonly string[];
  readonly interface?: readonly string[];
};
type LoginFlags = {
  readonly username?: string;
  readonly passwordStdin?: boolean;
  readonly anyCertificate?: boolean;
};
type AddFlags = LoginFlags & { readonly channel: string };

export function addOnvifCommands(cameras: Command, context: CommandContext): void {
  const { output } = context;

  const discover = cameras
    .command('discover')
    .description('Looks for ONVIF cameras on the network, or at given addresses where multicast does not reach.')
    .option('--address <address...>', '10.0.0.21, 10.0.0.0/24 or 10.0.0.20-40, instead of multicast')
    .option('--port <port...>', 'ports to try at each address (default: 80 8080 2020 8000 8899)')
    .option('--interface <name...>', 'network interfaces to search on (default: all)');
  addConfigFlags(discover, 'finding').action(async (flags: DiscoverFlags) => {
    const api = await apiOf(discover, context);
    const search = {
      ...(flags.address === undefined ? {} : { addresses: flags.address }),
      ...(flags.port === undefined ? {} : { ports: flags.port.map(Number) }),
      ...(flags.interface === undefined ? {} : { interfaces: flags.interface }),
    };
    const { devices } = foundShape.parse(
      await output.progress('looking for cameras', () => api.call('POST', '/api/onvif/discover', search)),
    );
    output.result({ devices }, () =>
      devices.length === 0
        ? ['no camera answered: they may be in another network (--address 10.0.0.0/24), or have ONVIF switched off']
        : table(
            ['name', 'hardware', 'address', 'added', 'device service'],
            devices.map(({ name, hardware, address, cameraId, urls }) => [
              name ?? '-',
              hardware ?? '-',
              address,
              cameraId === null ? 'no' : 'yes',
              urls[0] ?? '-',
            ]),
          ),
    );
  });

  const profiles = cameras
    .command('profiles <device-url>')
    .description('Looks at an ONVIF camera: its profiles, and which of them would be recorded.');
  addConfigFlags(addLoginFlags(profiles), 'finding').action(async (url: string, flags: LoginFlags) => {
    const found = await look(profiles, url, await loginOf(flags, context), context);
    output.result(found, () => [
      [found.manufacturer, found.model].filter((part) => part !== null).join(' ') || 'a device without a name',
      ...(found.clock === null ? [] : [`its clock is ${(found.clock.offsetMs / 1_000).toFixed(1)} s off`]),
      ...table(
        ['profile', 'picture', 'frames/s', 'use', 'address'],
        found.profiles.map((profile) => [
          profile.name,
          `${profile.codec ?? '?'} ${profile.widthPixels ?? '?'}x${profile.heightPixels ?? '?'}`,
          String(profile.framesPerSecond ?? '?'),
          useOf(profile.token, found),
          profile.url ?? profile.fault ?? '-',
        ]),
      ),
    ]);
  });

  const add = cameras
    .command('add-onvif <name> <device-url>')
    .description('Adds an ONVIF camera with its main and sub stream, movements and events.')
    .option('--channel <number>', 'which scene of a recorder that has several', '1');
  addConfigFlags(addLoginFlags(add), 'finding').action(async (name: string, url: string, flags: AddFlags) => {
    const login = await loginOf(flags, context);
    const found = await look(add, url, login, context);
    const channel = found.channels[Number(flags.channel) - 1];
    if (channel === undefined) {
      throw appError('failed_precondition', `the device has no scene ${flags.channel} that can be recorded`, {
        hint: `it has ${found.channels.length}: weir cameras profiles ${url}`,
      });
    }
    const api = await apiOf(add, context);
    const { credentials } = login;
    const camera = await api.call('POST', '/api/cameras', {
      name,
      ...channel.camera,
      ...(credentials === undefined ? {} : { credentials }),
    });
    const { id } = z.looseObject({ id: z.string() }).parse(camera);
    output.result(camera, () => [
      `added ${name} (${id}), main ${channel.main}${channel.sub === null ? '' : `, sub ${channel.sub}`}`,
    ]);
  });
}

type Login = { readonly tls: 'verify' | 'any'; readonly credentials?: { username: string; password: string } };
type Found = z.infer<typeof profilesShape>;

function addLoginFlags(command: Command): Command {
  return command
    .option('--username <name>', 'ONVIF user of the camera')
    .option('--password-stdin', 'read its password from standard input')
    .option('--any-certificate', 'https: take a self-signed certificate');
}

async function loginOf(flags: LoginFlags, context: CommandContext): Promise<Login> {
  const tls = flags.anyCertificate === true ? 'any' : 'verify';
  const password = flags.passwordStdin === true ? (await context.readInput()).replace(/\r?\n$/, '') : '';
  return flags.username === undefined ? { tls } : { tls, credentials: { username: flags.username, password } };
}

async function look(command: Command, url: string, login: Login, context: CommandContext): Promise<Found> {
  const api = await apiOf(command, context);
  const asked = { url, ...login };
  return profilesShape.parse(
    await context.output.progress('looking at the camera', () => api.call('POST', '/api/onvif/profiles', asked)),
  );
}

function useOf(token: string, { channels }: Found): string {
  const index = channels.findIndex(({ main, sub }) => main === token || sub === token);
  if (index < 0) return '-';
  const role = channels[index]?.main === token ? 'main' : 'sub';
  return channels.length === 1 ? role : `${role} of ${index + 1}`;
}
