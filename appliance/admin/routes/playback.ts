/** Media over HTTP: playlists and their files, clips, pictures, and URLs for players that cannot log in. */

import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { Conversions } from '../../../gateway/playback/index.ts';
import { appError } from '../../../storage/base/errors.ts';
import type { CatalogStream } from '../../../storage/catalog/index.ts';
import { isRing } from '../../../storage/model/camera.ts';
import { asking } from '../access.ts';
import { byteRangeOf } from '../byte-range.ts';
import { type Caller, callerOf } from '../caller.ts';
import type { Context } from '../context.ts';
import { toldTo } from '../conversion-refusal.ts';
import { ExportNotes } from '../export-notes.ts';
import type { App } from '../http-app.ts';
import { playbackPrefix } from '../identify.ts';
import { adminLimits } from '../limits.ts';
import { requestSignal } from '../request-signal.ts';
import { pathPart, streamResource } from '../resources.ts';
import { requireSpan, time } from '../times.ts';
import { requireStream, streamParams } from './streams.ts';

const fileParams = streamParams.extend({ file: z.string().regex(/^[\w.-]{1,250}$/, 'is not a file of a playlist') });
/** What stands in a playlist's URIs is the playlists' own matter; times are ours. */
const hlsQuery = z.record(z.string().max(64), z.string().max(2_048));

const videoForm = z
  .enum(['original', 'h264'])
  .default('original')
  .describe('h264: H.265 is converted for who cannot decode it');

export function addPlaybackRoutes(app: App, context: Context): void {
  const { catalog, clock, conversions, hls, playbackTokens } = context;
  const onStream = (request: FastifyRequest) => streamResource(catalog, pathPart(request, 'streamId'));
  const sendHls = async (
    caller: Caller,
    request: { readonly streamId: string; readonly file: string; readonly query: Record<string, string> },
    reply: FastifyReply,
  ) => {
    const { SessionToken: token, renditions, ...query } = request.query;
    const stream = requireStream(context, request.streamId);
    const wanted = {
      streamId: stream.id,
      file: request.file,
      query: withTimes(query),
      sub: renditions === 'one' ? undefined : subStreamBeside(context, caller, stream),
      signal: requestSignal(reply),
      ...(token === undefined ? {} : { carried: { SessionToken: token } }),
    };
    const answer = Conversions.isAsked(wanted)
      ? await conversions.get(wanted, caller.subject.name).catch(toldTo(caller, context))
      : await hls.get(wanted);
    reply.header('cache-control', answer.isImmutable ? 'private, max-age=86400, immutable' : 'no-store');
    return reply.type(answer.contentType).send(asBody(answer.body));
  };

  app.get(
    '/api/streams/:streamId/hls/:file',
    {
      config: asking('streams:view', onStream),
      schema: {
        summary:
          "HLS: master.m3u8 (?begin&end), and what it names. A main stream's has its sub stream too, without ?renditions=one; H.265 is converted with ?video=h264; live with ?latency=low it has parts",
        params: fileParams,
        querystring: hlsQuery,
      },
    },
    (request, reply) => sendHls(callerOf(request), { ...request.params, query: request.query }, reply),
  );

  app.get(
    `${playbackPrefix}:streamId/:file`,
    {
      config: asking('streams:view', onStream),
      schema: { summary: 'HLS by a playback URL', security: [], params: fileParams, querystring: hlsQuery },
    },
    (request, reply) => sendHls(callerOf(request), { ...request.params, query: request.query }, reply),
  );

  app.post(
    '/api/streams/:streamId/playback',
    {
      config: asking('streams:view', onStream),
      schema: {
        summary: 'A URL for players without cookies or headers',
        params: streamParams,
        body: z
          .strictObject({
            begin: time.optional(),
            end: time.optional(),
            renditions: z.enum(['all', 'one']).default('all').describe('one: this stream alone'),
            video: videoForm,
            latency: z.enum(['low']).optional().describe('low: live in parts, for players that know them'),
            durationMs: z.number().int().min(1_000).max(adminLimits.playbackMsMax).optional(),
          })
          .nullish(),
        response: { 201: z.object({ url: z.string(), expiresMs: z.number() }) },
      },
    },
    async (request, reply) => {
      const { id: streamId } = requireStream(context, request.params.streamId);
      const { begin, end, renditions, video, latency, durationMs = adminLimits.playbackMsDefault } = request.body ?? {};
      const { kind, id } = callerOf(request).subject;
      if (kind !== 'user' && kind !== 'token' && kind !== 'local') throw callerOf(request).refusal('streams:view');
      const expiresMs = clock.wallMs() + durationMs;
      const query = new URLSearchParams({
        ...(begin === undefined ? {} : { begin: String(begin) }),
        ...(end === undefined ? {} : { end: String(end) }),
        ...(renditions === 'one' ? { renditions } : {}),
        ...(video === 'h264' ? { video } : {}),
        ...(latency === undefined ? {} : { latency }),
        SessionToken: playbackTokens.make({ streamId, subject: { kind, id }, expiresMs }),
      });
      return reply.code(201).send({ url: `${playbackPrefix}${streamId}/master.m3u8?${query}`, expiresMs });
    },
  );

  addImageRoute(app, context, onStream);
  addClipRoute(app, context, onStream);
}

function addImageRoute(app: App, context: Context, onStream: (request: FastifyRequest) => string): void {
  app.get(
    '/api/streams/:streamId/image.jpg',
    {
      config: asking('streams:view', onStream),
      schema: {
        summary: 'JPEG of the newest key frame, or of the one before a time',
        params: streamParams,
        querystring: z.strictObject({
          at: time.optional(),
          choice: z.enum(['before', 'nearest']).optional(),
          width: z.coerce.number().int().min(16).max(8_192).optional().describe('at least; the sizes are few'),
          turn: z.string().max(32).optional().describe('ignored: makes a URL new'),
        }),
      },
    },
    async (request, reply) => {
      const { id } = requireStream(context, request.params.streamId);
      const { at, choice, width } = request.query;
      const size = width === undefined ? {} : { widthPixels: width };
      const picture =
        at === undefined
          ? await context.pictures.live(id, size)
          : await context.pictures.at(id, at, { ...size, ...(choice === undefined ? {} : { choice }) });
      reply.header('x-server-timestamp-ms', picture.serverTimestampMs);
      if (at !== undefined) reply.header('cache-control', 'private, max-age=3600');
      return reply.type('image/jpeg').send(asBody(picture.bytes));
    },
  );
}

function addClipRoute(app: App, context: Context, onStream: (request: FastifyRequest) => string): void {
  const notes = new ExportNotes(context);
  app.get(
    '/api/streams/:streamId/clip.mp4',
    {
      config: asking('streams:export', onStream),
      schema: {
        summary:
          'MP4 of a range, with byte ranges; with ?video=h264 H.265 is converted, of a length that nobody knows before',
        params: streamParams,
        querystring: z.strictObject({ begin: time, end: time, video: videoForm }),
      },
    },
    async (request, reply) => {
      const stream = requireStream(context, request.params.streamId);
      const span = requireSpan(request.query.begin, request.query.end, adminLimits.clipMsMax);
      const disposition = `attachment; filename="${fileName(stream.name, span.beginMs)}"`;
      if (request.query.video === 'h264') {
        const caller = callerOf(request);
        const clip = await context.conversions
          .openClip(stream.id, span, caller.subject.name)
          .catch(toldTo(caller, context));
        reply.headers({ 'accept-ranges': 'none', 'content-disposition': disposition, 'cache-control': 'no-store' });
        reply.type('video/mp4');
        if (request.method === 'HEAD') return reply.send(Readable.from([]));
        notes.note(caller, streamResource(context.catalog, stream.id), span);
        return reply.send(asStream(clip.stream(), request));
      }
      const clip = await context.clips.open(stream.id, span);
      const etag = clip.entityTag;
      const { range, 'if-range': ifRange } = request.headers;
      const wanted = byteRangeOf(ifRange === undefined || ifRange === etag ? range : undefined, clip.byteLength);
      if (wanted === 'unsatisfiable') {
        reply.header('content-range', `bytes */${clip.byteLength}`);
        throw appError('invalid_argument', 'the clip is shorter than that', { httpStatus: 416 });
      }
      const part = wanted === 'all' ? { begin: 0, end: clip.byteLength } : wanted;
      reply.headers({
        'accept-ranges': 'bytes',
        etag,
        'content-length': part.end - part.begin,
        'content-disposition': disposition,
        'cache-control': 'private, no-cache',
      });
      if (wanted !== 'all') {
        reply.code(206).header('content-range', `bytes ${part.begin}-${part.end - 1}/${clip.byteLength}`);
      }
      reply.type('video/mp4');
      // Of an empty text Fastify would say that the clip has no bytes.
      if (request.method === 'HEAD') return reply.send(Readable.from([]));
      notes.note(callerOf(request), streamResource(context.catalog, stream.id), span);
      return reply.send(asStream(clip.read(part), request));
    },
  );
  const asStream = (bytes: AsyncIterable<Uint8Array>, request: FastifyRequest) => {
    const body = Readable.from(bytes, { objectMode: false });
    // The head is gone by then: all that a client sees is that bytes are missing.
    body.once('error', (error) => context.log.warn('clip broke off', { requestId: request.id, error }));
    return body;
  };
}

/** The sub stream of the camera that a main stream is of, where there is one and the caller may see it as well. */
function subStreamBeside(
  { catalog }: Context,
  caller: Caller,
  stream: CatalogStream,
): { readonly streamId: string; readonly isRecorded: boolean } | undefined {
  if (stream.role !== 'main') return undefined;
  const camera = catalog.tables.cameras.find(stream.cameraId);
  const own = camera?.streams.find(({ role }) => role === 'sub');
  const recording = camera?.sources.sub?.recording;
  if (own === undefined || recording === undefined) return undefined;
  if (!caller.may('streams:view', streamResource(catalog, own.id))) return undefined;
  return { streamId: own.id, isRecorded: !isRing(recording) };
}

/** Times as people write them, for playlists that know milliseconds. */
function withTimes(query: Readonly<Record<string, string>>): Record<string, string> {
  const times = z.object({ begin: time.optional(), end: time.optional() }).safeParse(query);
  if (!times.success) throw appError('invalid_argument', 'begin or end is not a time', { field: 'begin' });
  const { begin, end } = times.data;
  return {
    ...query,
    ...(begin === undefined ? {} : { begin: String(begin) }),
    ...(end === undefined ? {} : { end: String(end) }),
  };
}

function fileName(streamName: string, beginMs: number): string {
  return `${streamName}_${new Date(beginMs).toISOString().slice(0, 19).replace(/:/g, '-')}Z.mp4`;
}

/** Fastify sends a Buffer as it is; of other views it would send the whole array behind them. */
function asBody(body: string | Uint8Array): string | Buffer {
  return typeof body === 'string' ? body : Buffer.from(body.buffer, body.byteOffset, body.byteLength);
}
