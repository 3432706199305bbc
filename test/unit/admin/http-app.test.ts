import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { asking } from '../../../appliance/admin/access.ts';
import { createHttpApp, type HttpAppDeps } from '../../../appliance/admin/http-app.ts';
import { silentLog } from '../../../storage/base/log.ts';
import { SimulatedClock } from '../../kit/simulated-clock.ts';

test('what a stranger names is not looked up', async () => {
  const { app } = await createHttpApp({
    ...{ clock: new SimulatedClock(), log: silentLog, random: randomBytes },
    ...{ isLocal: () => false, publicOrigin: undefined, onRoute: () => {} },
    // Nobody shows a token or a cookie.
    ...({} as Pick<HttpAppDeps, 'authentication' | 'playbackTokens'>),
  });
  const lookedUp: string[] = [];
  const resource = ({ url }: { readonly url: string }) => {
    lookedUp.push(url);
    return 'camera/a';
  };
  app.get('/cameras/a', { config: asking('cameras:read', resource) }, async () => 'seen');

  const { statusCode } = await app.inject('/cameras/a');

  expect(statusCode).toBe(401);
  expect(lookedUp).toEqual([]);
});
