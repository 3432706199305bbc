/** GetHLSStreamingSessionURL and GetDASHStreamingSessionURL: a URL that plays without any signature until it expires. */

import { type KvsCall, type KvsOperations, requireStream } from '../call.ts';
import { awsError } from '../errors.ts';
import { type KvsStream, retentionFloorMs } from '../streams.ts';
import { formOf, requirePlayable } from './media-form.ts';
import { noFragments, requireOneSetUp } from './resources.ts';
import { type PlaybackSession, type SessionOptions, sessionAction } from './session.ts';
import { dashOptions, hlsOptions } from './session-request.ts';
import type { SessionTokens } from './session-tokens.ts';
import type { SessionWalks } from './session-walks.ts';
import type { SessionSource } from './source.ts';

export type StreamingSessionDeps = {
  readonly source: SessionSource;
  readonly walks: SessionWalks;
  readonly tokens: SessionTokens;
};

export function streamingSessionOperations(deps: StreamingSessionDeps): KvsOperations {
  return new Map([
    [
      '/getHLSStreamingSessionURL',
      {
        action: sessionAction({ protocol: 'hls' }),
        run: async (call) => {
          const token = await sessionToken(deps, call, hlsOptions);
          return {
            HLSStreamingSessionURL: `${call.endpoint}/hls/v1/getHLSMasterPlaylist.m3u8?SessionToken=${token}`,
          };
        },
      },
    ],
    [
      '/getDASHStreamingSessionURL',
      {
        action: sessionAction({ protocol: 'dash' }),
        run: async (call) => {
          const token = await sessionToken(deps, call, dashOptions);
          return { DASHStreamingSessionURL: `${call.endpoint}/dash/v1/getDASHManifest.mpd?SessionToken=${token}` };
        },
      },
    ],
  ]);
}

/** @throws AppError NoDataRetentionException */
export function requireRetention({ name, retentionHours }: Pick<KvsStream, 'name' | 'retentionHours'>): void {
  if (retentionHours > 0) return;
  throw awsError('NoDataRetentionException', `The stream ${name} has no data retention: its media are not kept.`);
}

async function sessionToken(
  { source, walks, tokens }: StreamingSessionDeps,
  call: KvsCall,
  optionsOf: (input: KvsCall['input'], nowMs: number) => SessionOptions,
): Promise<string> {
  const { nowMs, owner } = call;
  const { expiresS, ...options } = optionsOf(call.input, nowMs);
  const stream = requireStream(call, sessionAction(options));
  requireRetention(stream);
  const moment = { nowMs, floorMs: retentionFloorMs(stream, nowMs) };
  const base: PlaybackSession = {
    ...options,
    ...{ streamId: stream.id, streamName: stream.name, owner },
    ...{ startedMs: nowMs, expiresMs: nowMs + expiresS * 1_000, anchor: undefined, leadMs: 0 },
  };
  await requirePlayableBeginning(source, base, moment);
  const entries = await walks.beginning(base, moment);
  const [first] = entries;
  const last = entries.at(-1);
  if (first === undefined || last === undefined) throw noFragments(base, source);
  if (options.protocol === 'dash') requireOneSetUp(entries);
  if (options.mode === 'on-demand') return tokens.seal(base);
  const leadMs = options.mode === 'live' ? last.positionMs + last.reference.fragment.durationMs : 0;
  return tokens.seal({ ...base, anchor: first.reference.fragment.number, leadMs: Math.round(leadMs) });
}

/** What is wrong with the tracks is told before there are entries: a fragment that cannot be played is none. */
async function requirePlayableBeginning(
  source: SessionSource,
  session: PlaybackSession,
  { nowMs, floorMs }: { readonly nowMs: number; readonly floorMs: number },
): Promise<void> {
  const { streamId, axis, range, mode } = session;
  const [first] =
    mode === 'live'
      ? [await source.latest(streamId)]
      : await source.fragmentsByTime(streamId, {
          axis,
          beginMs: range?.beginMs ?? 0,
          endMs: (range?.endMs ?? nowMs) + 1,
          isWanted: ({ serverTimestampMs }) => serverTimestampMs >= floorMs,
          limit: 1,
        });
  if (first !== undefined && first.fragment.serverTimestampMs >= floorMs) requirePlayable(first, formOf(session));
}
