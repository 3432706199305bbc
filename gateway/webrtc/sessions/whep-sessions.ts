/** WHEP: viewers of streams. An offer that receives is answered with what the bridge has of the stream. */

import type { types } from 'mediasoup';
import type { Clock } from '../../../storage/base/clock.ts';
import { appError } from '../../../storage/base/errors.ts';
import type { Lifetime } from '../../../storage/base/lifecycle.ts';
import type { Log } from '../../../storage/base/log.ts';
import type { StreamBridges, ViewerCodec } from '../bridge/index.ts';
import type { MediaPlane, MediaWorker, PayloadTypes } from '../media-plane/index.ts';
import {
  type PeerDescription,
  type PeerMedia,
  payloadTypesOf,
  readOffer,
  receiverCapabilities,
  sdpLimits,
  takenLines,
  whepAnswer,
} from '../sdp/index.ts';
import { sessionLimits } from './limits.ts';
import { newSessionNumber } from './numbers.ts';
import { PeerSession } from './peer-session.ts';
import { SessionBook } from './session-book.ts';
import type { OpenedSession, OpenRequest, SessionEvents } from './types.ts';

export type WhepSessionsDeps = {
  readonly plane: Pick<MediaPlane, 'place'>;
  readonly bridges: StreamBridges;
  readonly clock: Clock;
  readonly log: Log;
  /** Cryptographically random bytes. */
  readonly random: (bytes: number) => Uint8Array;
  readonly events?: SessionEvents;
};

/** What of an offer is answered. */
type Wanted = {
  readonly lines: readonly PeerMedia[];
  readonly payloadTypes: PayloadTypes;
  readonly canPlay: ReadonlySet<ViewerCodec>;
};

export class WhepSessions {
  readonly #deps: WhepSessionsDeps;
  /** Those that last. */
  readonly sessions: SessionBook;

  constructor(deps: WhepSessionsDeps) {
    this.#deps = deps;
    this.sessions = new SessionBook(deps, {
      max: sessionLimits.viewersMax,
      ofOneMax: sessionLimits.viewersOfOneMax,
      what: 'live views by WebRTC',
    });
  }

  /**
   * Answers an offer.
   *
   * @throws AppError invalid_argument     the offer is none, or receives nothing that we have (`isUnacceptable`)
   * @throws AppError resource_exhausted   too many sessions, in all or of the caller; too many conversions
   * @throws AppError unavailable          there is no worker; or the camera is not live (`isAway`)
   * @throws AppError failed_precondition  the stream cannot be played by this viewer
   */
  async open(request: OpenRequest): Promise<OpenedSession> {
    const offer = readOffer(request.offer);
    const wanted = wantedOf(offer);
    return this.sessions.opening(request.caller.id, async (taken) => {
      const worker = await this.#deps.plane.place(request.streamId).speaking(wanted.payloadTypes);
      return this.#open(request, { offer, wanted, worker, taken });
    });
  }

  async #open(
    request: OpenRequest,
    {
      offer,
      wanted,
      worker,
      taken,
    }: {
      readonly offer: PeerDescription;
      readonly wanted: Wanted;
      readonly worker: MediaWorker;
      readonly taken: Lifetime;
    },
  ): Promise<OpenedSession> {
    const { bridges, clock, log, random, events = {} } = this.#deps;
    const { streamId, caller, signal } = request;
    const watched = await bridges
      .watch(streamId, {
        ...{ worker, canPlay: wanted.canPlay, viewer: caller.name },
        ...(signal === undefined ? {} : { signal }),
      })
      .catch((error: unknown) => {
        throw worker.isAlive ? awayWhere(error) : error;
      });
    taken.defer(() => watched.release());
    const transport = await worker.createPeer({ key: streamId });
    taken.defer(() => transport.close());
    const sends = new Map<string, types.RtpParameters>();
    for (const line of wanted.lines) {
      const producer = line.kind === 'video' ? watched.video?.producer : watched.audio?.producer;
      if (producer !== undefined) sends.set(line.mid, await consume(transport, { producer, line, worker }));
    }
    await transport.connect({ dtlsParameters: offer.dtls });
    signal?.throwIfAborted();
    const session = new PeerSession(
      { clock, log, random, events },
      {
        ...{ kind: 'viewer', streamId, caller, worker, transport, offer },
        taken: wanted.lines.filter(({ mid }) => sends.has(mid)),
        addresses: worker.candidateAddresses(...request.reachedAt),
      },
    );
    this.sessions.add(session, taken);
    session.onConnected(() => watched.video?.begin());
    session.defer(watched.onEnded((message) => void session.end({ end: 'stream-ended', message })));
    session.start();
    const answer = whepAnswer({
      ...session.own,
      ...{ offer, sends, stream: streamId, sessionId: newSessionNumber(random) },
    });
    return { id: session.id, streamId, entityTag: session.entityTag, answer, notes: watched.notes };
  }
}

/** The first line of pictures and the first of sound that receive anything of ours. */
function wantedOf(offer: PeerDescription): Wanted {
  const receives = ({ direction }: PeerMedia) => direction === 'recvonly' || direction === 'sendrecv';
  const usable = takenLines(offer, (line) => receives(line) && payloadTypesOf(line).size > 0);
  const lines = (['video', 'audio'] as const).flatMap((kind) => usable.find((line) => line.kind === kind) ?? []);
  const all = lines.flatMap((line) => [...payloadTypesOf(line)]);
  if (all.length === 0) {
    throw appError('invalid_argument', 'the offer receives neither H.264 (packetization-mode 1) nor Opus or G.711', {
      isUnacceptable: true,
      hint: 'offer lines that are recvonly, with rtcp-mux, of one of these codecs',
    });
  }
  if (new Set(all.map(([, payloadType]) => payloadType)).size < all.length) {
    throw appError('invalid_argument', 'the offer has one payload type for two codecs', { isUnacceptable: true });
  }
  return { lines, payloadTypes: Object.fromEntries(all), canPlay: new Set(all.map(([name]) => name)) };
}

async function consume(
  transport: types.WebRtcTransport,
  { producer, line, worker }: { producer: types.Producer; line: PeerMedia; worker: MediaWorker },
): Promise<types.RtpParameters> {
  const consumer = await transport.consume({
    producerId: producer.id,
    rtpCapabilities: receiverCapabilities(line, worker.router.rtpCapabilities),
    // Lost packets are sent again, as they were: without it mediasoup leaves out NACK too.
    enableRtx: line.kind === 'video',
    ...(Buffer.byteLength(line.mid) <= sdpLimits.midBytesInPacketsMax ? { mid: line.mid } : {}),
  });
  return consumer.rtpParameters;
}

/** A camera that is not live is no fault of the media plane. */
function awayWhere(error: unknown): unknown {
  const { code, message, context, hint } = error as Partial<ReturnType<typeof appError>>;
  if (code !== 'unavailable' || message === undefined) return error;
  return appError('unavailable', message, {
    ...context,
    isAway: true,
    retryAfterMs: 5_000,
    ...(hint === undefined ? {} : { hint }),
    cause: error,
  });
}
