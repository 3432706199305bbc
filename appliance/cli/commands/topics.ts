/** `weir topic`: where messages that KVS clients address by topic ARN go. */

import type { Command } from 'commander';
import { z } from 'zod';
import { appError } from '../../../storage/base/errors.ts';
import { apiOf, type CommandContext } from '../command-context.ts';
import { addConfigFlags } from '../config-flags.ts';
import { table } from '../output.ts';

const topicsShape = z.looseObject({ topics: z.array(z.looseObject({ name: z.string(), webhookId: z.string() })) });
const webhooksShape = z.looseObject({ webhooks: z.array(z.looseObject({ id: z.string(), name: z.string() })) });

export function addTopicCommands(program: Command, context: CommandContext): void {
  const { output } = context;
  const topic = program
    .command('topic')
    .description('Topics that notification configurations of KVS streams name by ARN, and the webhooks that are told.');

  const lead = topic.command('lead <name> <webhook>').description('Leads a topic to a webhook, by its name.');
  addConfigFlags(lead, 'finding').action(async (name: string, webhookName: string) => {
    const api = await apiOf(lead, context);
    const { webhooks } = webhooksShape.parse(await api.call('GET', '/api/webhooks'));
    const webhook = webhooks.find((each) => each.name.toLowerCase() === webhookName.toLowerCase());
    if (webhook === undefined) {
      const names = webhooks.map((each) => each.name).join(', ');
      throw appError('not_found', `no webhook is called "${webhookName}"`, {
        hint: names === '' ? 'make one on the page: Settings, Alarms' : `there are ${names}`,
      });
    }
    const made = await api.call('PUT', `/api/topics/${encodeURIComponent(name)}`, { webhookId: webhook.id });
    output.result(made, () => [`topic ${name} leads to webhook ${webhook.name}`]);
  });

  const list = topic.command('list').description('Lists topics.');
  addConfigFlags(list, 'finding').action(async () => {
    const api = await apiOf(list, context);
    const { topics } = topicsShape.parse(await api.call('GET', '/api/topics'));
    const { webhooks } = webhooksShape.parse(await api.call('GET', '/api/webhooks'));
    const nameOf = (id: string) => webhooks.find((each) => each.id === id)?.name ?? id;
    output.result({ topics }, () =>
      table(
        ['topic', 'webhook'],
        topics.map((each) => [each.name, nameOf(each.webhookId)]),
      ),
    );
  });

  const remove = topic.command('remove <name>').description('Leads a topic nowhere: its messages wait.');
  addConfigFlags(remove, 'finding').action(async (name: string) => {
    const api = await apiOf(remove, context);
    await api.call('DELETE', `/api/topics/${encodeURIComponent(name)}`);
    output.result({ removed: name }, () => [`topic ${name} leads nowhere`]);
  });
}
