/** All routes, by resource. */

import { asking } from '../access.ts';
import { CameraTests } from '../camera-tests.ts';
import type { Context } from '../context.ts';
import type { App } from '../http-app.ts';
import { addUsageHook } from '../usage-hook.ts';
import { addAccessKeyRoutes } from './access-keys.ts';
import { addAlarmRoutes } from './alarms.ts';
import { addAuditRoutes } from './audit.ts';
import { addCameraBulkRoute } from './camera-bulk.ts';
import { addCameraTestRoute } from './camera-test.ts';
import { addCameraRoutes } from './cameras.ts';
import { addDeviceRoutes } from './devices.ts';
import { addEventRangeRoutes } from './event-ranges.ts';
import { addEventRoute } from './events.ts';
import { addExaminationRoutes } from './examination.ts';
import { addHealthRoute } from './health.ts';
import { addHeartbeatRoutes } from './heartbeat.ts';
import { addHelpRoutes } from './help.ts';
import { addHoldRoutes } from './holds.ts';
import { addImportRoutes } from './imports.ts';
import { addLiveRoute } from './live.ts';
import { addMetricsRoute } from './metrics.ts';
import { addOnvifRoutes } from './onvif.ts';
import { addPageRoutes } from './page.ts';
import { addPlaybackRoutes } from './playback.ts';
import { addPolicyRoutes } from './policies.ts';
import { addRemovalRoute } from './removal.ts';
import { addSecretRoutes } from './secrets.ts';
import { addSessionRoutes } from './session.ts';
import { addSiteRoutes } from './site.ts';
import { addStreamRoutes } from './streams.ts';
import { addStreamsLatelyRoute } from './streams-lately.ts';
import { addSystemRoutes } from './system.ts';
import { addTokenRoutes } from './tokens.ts';
import { addTopicRoutes } from './topics.ts';
import { addUsageRoute } from './usage.ts';
import { addUserRoutes } from './users.ts';
import { addWebhookRoutes } from './webhooks.ts';
import { addWhepRoutes } from './whep.ts';
import { addWhipRoutes } from './whip.ts';

export async function addRoutes(app: App, context: Context): Promise<void> {
  addUsageHook(app, context.usage);
  addSessionRoutes(app, context);
  addCameraRoutes(app, context);
  const tests = new CameraTests(context);
  addCameraTestRoute(app, context, tests);
  addCameraBulkRoute(app, context, tests);
  addHealthRoute(app, context);
  addOnvifRoutes(app, context);
  addStreamRoutes(app, context);
  addStreamsLatelyRoute(app, context);
  addPlaybackRoutes(app, context);
  addLiveRoute(app, context);
  addWhepRoutes(app, context);
  addWhipRoutes(app, context);
  addRemovalRoute(app, context);
  addHoldRoutes(app, context);
  addEventRangeRoutes(app, context);
  addImportRoutes(app, context);
  addSystemRoutes(app, context);
  addExaminationRoutes(app, context);
  addUserRoutes(app, context);
  addTokenRoutes(app, context);
  addAccessKeyRoutes(app, context);
  addDeviceRoutes(app, context);
  addSecretRoutes(app, context);
  addPolicyRoutes(app, context);
  addAlarmRoutes(app, context);
  addWebhookRoutes(app, context);
  addHeartbeatRoutes(app, context);
  addHelpRoutes(app);
  addSiteRoutes(app, context);
  addAuditRoutes(app, context);
  addMetricsRoute(app, context);
  addUsageRoute(app, context);
  addTopicRoutes(app, context);
  addEventRoute(app, context);
  app.get(
    '/api/openapi.json',
    { config: asking('own:read', 'own'), schema: { summary: 'This description' } },
    async (_request, reply) => reply.send(app.swagger()),
  );
  await addPageRoutes(app, context.facts.pageDirectory);
}
