/** Trying a camera out before it is saved: what it sends, a picture, or why not. */

import { z } from 'zod';
import { appError } from '../../../storage/base/errors.ts';
import type { Camera } from '../../../storage/catalog/index.ts';
import type { RtspSource } from '../../../storage/model/camera.ts';
import type { Track } from '../../../storage/model/track.ts';
import { asking } from '../access.ts';
import { callerOf } from '../caller.ts';
import { credentialsInput, rtspSourceInput } from '../camera-input.ts';
import { addressOf, openedCredentials, parseChangedUrl } from '../camera-settings.ts';
import type { CameraTests } from '../camera-tests.ts';
import type { Context } from '../context.ts';
import type { App } from '../http-app.ts';
import { adminLimits } from '../limits.ts';
import type { ProbeResult } from '../parts.ts';
import { requestSignal } from '../request-signal.ts';
import { cameraResource } from '../resources.ts';
import { idParam, sourceRoleShape } from '../shapes.ts';
import { requireSameDevice } from '../source-url.ts';

const testBody = z.strictObject({
  source: rtspSourceInput,
  credentials: credentialsInput.nullable().optional(),
  cameraId: idParam.optional().describe('whose stored user and password are used when none are given'),
  role: sourceRoleShape.default('main').describe('of which of its sources'),
});

const testAnswer = z.object({
  ok: z.boolean(),
  tracks: z.array(z.object({ number: z.number(), codec: z.string(), text: z.string() })),
  picture: z.string().nullable().describe('JPEG, base64'),
  warnings: z.array(z.string()),
  fault: z.object({ reason: z.string(), message: z.string(), hint: z.string().nullable() }).nullable(),
});

export function addCameraTestRoute(app: App, context: Context, tests: CameraTests): void {
  app.post(
    '/api/cameras/test',
    {
      config: asking('cameras:test', 'camera'),
      schema: { summary: 'Try a camera out', body: testBody, response: { 200: testAnswer } },
    },
    async (request, reply) => {
      const { cameraId } = request.body;
      if (cameraId !== undefined) callerOf(request).require('cameras:update', cameraResource(cameraId));
      const source = sourceToTest(request.body, context);
      const { clock } = context;
      const signalOf = () => requestSignal(reply, { clock, timeoutMs: adminLimits.probeTimeoutMs });
      return answerOf(await tests.test(source, signalOf));
    },
  );
}

function sourceToTest(body: z.infer<typeof testBody>, context: Context): RtspSource {
  const camera = body.cameraId === undefined ? undefined : requireCamera(context, body.cameraId);
  const own = camera?.sources[body.role];
  const { url, credentials: inUrl } = parseChangedUrl(
    body.source.url,
    own === undefined ? undefined : addressOf(own.source),
  );
  const source = { ...body.source, url };
  const given = body.credentials === undefined ? inUrl : (body.credentials ?? undefined);
  if (given !== undefined) return { ...source, ...given };
  const stored = own?.credentials ?? camera?.credentials;
  if (camera === undefined || stored === undefined || body.credentials === null) return source;
  const home = own?.credentials === undefined ? camera.sources.main : own;
  requireSameDevice(source, addressOf(home.source), { field: 'credentials', whose: 'the stored' });
  return { ...source, ...openedCredentials(stored, context.cameraSecrets) };
}

function requireCamera({ catalog }: Context, cameraId: string): Camera {
  const camera = catalog.tables.cameras.find(cameraId);
  if (camera === undefined) throw appError('not_found', 'no such camera', { cameraId });
  return camera;
}

function answerOf(result: ProbeResult): z.infer<typeof testAnswer> {
  const { fault } = result;
  return {
    ok: fault === undefined,
    tracks: result.tracks.map((track) => ({ number: track.number, codec: track.codec, text: trackText(track) })),
    picture: result.picture === undefined ? null : Buffer.from(result.picture).toString('base64'),
    warnings: [...result.warnings],
    fault: fault === undefined ? null : { ...fault, hint: fault.hint ?? null },
  };
}

/** A track in words: `h264 1920x1080`, `aac 16000 Hz, 1 channel`. */
export function trackText(track: Track): string {
  const { audio, video } = track;
  if (video !== undefined) return `${track.codec} ${video.widthPixels}x${video.heightPixels}`;
  if (audio === undefined) return track.codecId;
  return `${track.codec} ${audio.samplingFrequencyHz} Hz, ${audio.channels} ${audio.channels === 1 ? 'channel' : 'channels'}`;
}
