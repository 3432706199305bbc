/** Topics: where messages that KVS clients address by topic ARN go. */

import { z } from 'zod';
import type { Topic } from '../../../storage/catalog/index.ts';
import { asking, askingEach } from '../access.ts';
import { callerOf } from '../caller.ts';
import type { Context } from '../context.ts';
import type { App } from '../http-app.ts';
import { pathPart } from '../resources.ts';
import { idParam } from '../shapes.ts';

const topicName = z.string().regex(/^[A-Za-z0-9_-]{1,256}$/, 'has other characters than topics of SNS have');
const topicShape = z.object({
  name: z.string(),
  arn: z.string().describe('what KVS clients name it by; ARNs of other regions and accounts lead there too'),
  webhookId: z.string(),
  createdMs: z.number(),
});
const params = z.strictObject({ name: topicName });

export function addTopicRoutes(app: App, { catalog, facts, feed, tagDeliveries }: Context): void {
  const { topics, webhooks } = catalog.tables;
  const { region, accountId } = facts.kvs;
  const answerOf = (topic: Topic) => ({ ...topic, arn: `arn:aws:sns:${region}:${accountId}:${topic.name}` });
  const one = (action: string) => asking(action, (request) => `topic/${pathPart(request, 'name')}`);

  app.get(
    '/api/topics',
    {
      config: askingEach('topics:read'),
      schema: {
        summary: 'Topics, and the webhooks that are told',
        response: { 200: z.object({ topics: z.array(topicShape) }) },
      },
    },
    async (request) => {
      const caller = callerOf(request);
      const seen = topics.list().filter(({ name }) => caller.may('topics:read', `topic/${name}`));
      return { topics: seen.map(answerOf) };
    },
  );

  app.put(
    '/api/topics/:name',
    {
      config: one('topics:write'),
      schema: {
        summary: 'Lead a topic, of any region and account, to a webhook',
        params,
        body: z.strictObject({ webhookId: idParam }),
        response: { 200: topicShape },
      },
    },
    async (request) => {
      const { name } = request.params;
      const { webhookId } = request.body;
      const topic = catalog.change(callerOf(request).actor, ({ nowMs, note }) => {
        const webhook = webhooks.require(webhookId);
        note({ action: 'topics:write', resource: `topic/${name}`, detail: { webhook: webhook.name } });
        return topics.put({ name, webhookId }, nowMs);
      });
      await tagDeliveries?.refresh();
      feed.changed('topics');
      return answerOf(topic);
    },
  );

  app.delete(
    '/api/topics/:name',
    {
      config: one('topics:write'),
      schema: {
        summary: 'Lead a topic nowhere: what is tagged from now on waits until it leads somewhere',
        params,
        response: { 204: z.null() },
      },
    },
    async (request, reply) => {
      const { name } = request.params;
      catalog.change(callerOf(request).actor, ({ note }) => {
        topics.remove(name);
        note({ action: 'topics:write', resource: `topic/${name}`, detail: { webhook: null } });
      });
      await tagDeliveries?.refresh();
      feed.changed('topics');
      return reply.code(204).send(null);
    },
  );
}
