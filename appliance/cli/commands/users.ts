/** `weir users`: add, list, reset-password, remove. */

import type { Command } from 'commander';
import { z } from 'zod';
import { appError } from '../../../storage/base/errors.ts';
import type { ApiClient } from '../../api-client/index.ts';
import { apiOf, type CommandContext } from '../command-context.ts';
import { addConfigFlags } from '../config-flags.ts';
import { table } from '../output.ts';

const userShape = z.looseObject({
  id: z.string(),
  name: z.string(),
  role: z.string().nullable(),
  isDisabled: z.boolean(),
});
const listShape = z.looseObject({ users: z.array(userShape) });
const madeShape = z.looseObject({ user: userShape, oneTimePassword: z.string() });

type User = z.infer<typeof userShape>;

export function addUserCommands(program: Command, context: CommandContext): void {
  const users = program.command('users').summary('add, list and remove accounts, reset passwords');
  const { output } = context;
  const told = (made: z.infer<typeof madeShape>) => [
    `${made.user.name} logs in with the one-time password  ${made.oneTimePassword}`,
  ];

  const list = users.command('list').description('Lists accounts.');
  addConfigFlags(list, 'finding').action(async () => {
    const found = await usersOf(await apiOf(list, context));
    output.result({ users: found }, () =>
      table(
        ['name', 'role', 'state'],
        found.map((user) => [user.name, user.role ?? '-', user.isDisabled ? 'disabled' : 'active']),
      ),
    );
  });

  const add = users
    .command('add <name>')
    .description('Adds an account and shows its one-time password, once.')
    .option('--role <role>', 'admin, operator, viewer, or a policy of your own', 'viewer');
  addConfigFlags(add, 'finding').action(async (name: string, flags: { role: string }) => {
    const api = await apiOf(add, context);
    const made = madeShape.parse(await api.call('POST', '/api/users', { name, role: flags.role }));
    output.result(made, () => told(made));
  });

  const reset = users
    .command('reset-password <name>')
    .description(
      'Gives an account a new one-time password and ends its sessions. For an admin who forgot theirs, too.',
    );
  addConfigFlags(reset, 'finding').action(async (name: string) => {
    const api = await apiOf(reset, context);
    const user = await userNamed(api, name);
    const made = madeShape.parse(await api.call('POST', `/api/users/${user.id}/password`, {}));
    output.result(made, () => told(made));
  });

  const remove = users.command('remove <name>').description('Removes an account and ends its sessions.');
  addConfigFlags(remove, 'finding').action(async (name: string) => {
    const api = await apiOf(remove, context);
    const user = await userNamed(api, name);
    await api.call('DELETE', `/api/users/${user.id}`);
    output.result({ removed: user.id }, () => [`removed ${user.name}`]);
  });
}

async function usersOf(api: ApiClient): Promise<User[]> {
  return listShape.parse(await api.call('GET', '/api/users')).users;
}

async function userNamed(api: ApiClient, name: string): Promise<User> {
  const found = (await usersOf(api)).find((user) => user.name === name || user.id === name);
  if (found === undefined) throw appError('not_found', `there is no user ${name}`);
  return found;
}
