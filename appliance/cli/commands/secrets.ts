/** `weir secret`: the site's secret store, whose ARNs edge configurations name. */

import type { Command } from 'commander';
import { z } from 'zod';
import { appError } from '../../../storage/base/errors.ts';
import { apiOf, type CommandContext } from '../command-context.ts';
import { addConfigFlags } from '../config-flags.ts';
import { table } from '../output.ts';

const secretShape = z.looseObject({ name: z.string(), arn: z.string(), createdBy: z.string(), createdMs: z.number() });
const listShape = z.looseObject({ secrets: z.array(secretShape) });

export function addSecretCommands(program: Command, context: CommandContext): void {
  const { output } = context;
  const secret = program
    .command('secret')
    .description('Secrets that KVS clients name by ARN, such as addresses of cameras with their passwords.');

  const add = secret
    .command('add <name>')
    .description('Keeps what comes by standard input under a name, and shows its ARN. Nobody reads it again.');
  addConfigFlags(add, 'finding').action(async (name: string) => {
    const value = (await context.readInput()).trim();
    if (value === '') {
      throw appError('invalid_argument', 'standard input is empty', { hint: `weir secret add ${name} < file` });
    }
    const api = await apiOf(add, context);
    const made = secretShape.parse(await api.call('POST', '/api/secrets', { name, value }));
    output.result(made, () => [made.arn]);
  });

  const list = secret.command('list').description('Lists secrets, without what they say.');
  addConfigFlags(list, 'finding').action(async () => {
    const api = await apiOf(list, context);
    const { secrets } = listShape.parse(await api.call('GET', '/api/secrets'));
    const day = (ms: number) => new Date(ms).toISOString().slice(0, 10);
    output.result({ secrets }, () =>
      table(
        ['name', 'made', 'by', 'arn'],
        secrets.map((each) => [each.name, day(each.createdMs), each.createdBy, each.arn]),
      ),
    );
  });

  const remove = secret
    .command('remove <name>')
    .description('Forgets a secret. Cameras that were configured by it keep what it said.');
  addConfigFlags(remove, 'finding').action(async (name: string) => {
    const api = await apiOf(remove, context);
    await api.call('DELETE', `/api/secrets/${encodeURIComponent(name)}`);
    output.result({ removed: name }, () => [`removed ${name}`]);
  });
}
