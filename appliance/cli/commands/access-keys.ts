/** `weir keys create-access` and its companions: access keys that clients of the KVS API sign with. */

import type { Command } from 'commander';
import { z } from 'zod';
import { systemClock } from '../../../storage/base/clock.ts';
import { appError } from '../../../storage/base/errors.ts';
import type { ApiClient } from '../../api-client/index.ts';
import { apiOf, type CommandContext } from '../command-context.ts';
import { addConfigFlags } from '../config-flags.ts';
import { table } from '../output.ts';

const dayMs = 86_400_000;

const keyShape = z.looseObject({
  id: z.string(),
  name: z.string(),
  policies: z.array(z.string()),
  isDisabled: z.boolean(),
  expiresMs: z.number().nullable(),
  lastUsedMs: z.number().nullable(),
});
const listShape = z.looseObject({ accessKeys: z.array(keyShape) });
const madeShape = z.looseObject({ accessKey: keyShape, secretAccessKey: z.string() });

type AccessKey = z.infer<typeof keyShape>;

export function addAccessKeyCommands(keys: Command, context: CommandContext): void {
  const { output } = context;
  const day = (ms: number | null) => (ms === null ? 'never' : new Date(ms).toISOString().slice(0, 10));

  const list = keys.command('list-access').description('Lists access keys of KVS clients.');
  addConfigFlags(list, 'finding').action(async () => {
    const accessKeys = await keysOf(await apiOf(list, context));
    output.result({ accessKeys }, () =>
      table(
        ['name', 'policies', 'state', 'expires', 'last used', 'id'],
        accessKeys.map((key) => [
          key.name,
          key.policies.join(','),
          key.isDisabled ? 'disabled' : 'active',
          day(key.expiresMs),
          day(key.lastUsedMs),
          key.id,
        ]),
      ),
    );
  });

  const create = keys
    .command('create-access <name>')
    .description(
      'Makes an access key for a KVS client and shows its secret, once, as the variables that AWS clients read.',
    )
    .requiredOption(
      '--policy <policies...>',
      'what it may do: admin, or policies of your own that name kinesisvideo actions',
    )
    .option('--days <days>', 'how long it is valid (default: until it is removed)');
  addConfigFlags(create, 'finding').action(async (name: string, flags: { policy: string[]; days?: string }) => {
    const api = await apiOf(create, context);
    const expires = flags.days === undefined ? null : Math.round(systemClock.wallMs() + Number(flags.days) * dayMs);
    const made = madeShape.parse(await api.call('POST', '/api/access-keys', { name, policies: flags.policy, expires }));
    output.result(made, () => [
      `AWS_ACCESS_KEY_ID=${made.accessKey.id}`,
      `AWS_SECRET_ACCESS_KEY=${made.secretAccessKey}`,
    ]);
  });

  for (const [verb, isDisabled, what] of [
    ['disable', true, 'Refuses an access key from now on, until it is enabled again.'],
    ['enable', false, 'Takes a disabled access key again.'],
  ] as const) {
    const command = keys.command(`${verb}-access <name-or-id>`).description(what);
    addConfigFlags(command, 'finding').action(async (name: string) => {
      const api = await apiOf(command, context);
      const { id } = await keyNamed(api, name);
      output.result(await api.call('PATCH', `/api/access-keys/${id}`, { isDisabled }), () => [`${verb}d ${name}`]);
    });
  }

  const remove = keys.command('remove-access <name-or-id>').description('Ends an access key for good.');
  addConfigFlags(remove, 'finding').action(async (name: string) => {
    const api = await apiOf(remove, context);
    const { id } = await keyNamed(api, name);
    await api.call('DELETE', `/api/access-keys/${id}`);
    output.result({ removed: id }, () => [`removed ${name}`]);
  });
}

async function keysOf(api: ApiClient): Promise<AccessKey[]> {
  return listShape.parse(await api.call('GET', '/api/access-keys')).accessKeys;
}

async function keyNamed(api: ApiClient, name: string): Promise<AccessKey> {
  const all = await keysOf(api);
  const found = all.find((key) => key.id === name) ?? all.find((key) => key.name === name);
  if (found === undefined) throw appError('not_found', `there is no access key ${name}`);
  return found;
}
