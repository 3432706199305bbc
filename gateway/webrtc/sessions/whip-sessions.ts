/** WHIP: publishers of streams. An offer that sends H.264, and Opus or no sound, is received and recorded. */

import type { types } from 'mediasoup';
import type { Clock } from '../../../storage/base/clock.ts';
import { appError } from '../../../storage/base/errors.ts';
import type { Lifetime } from '../../../storage/base/lifecycle.ts';
import type { Log } from '../../../storage/base/log.ts';
import type { MediaPlane } from '../media-plane/index.ts';
import {
  type PeerDescription,
  type PeerMedia,
  payloadTypesOf,
  producerParameters,
  readOffer,
  takenLines,
  whipAnswer,
} from '../sdp/index.ts';
import { sessionLimits } from './limits.ts';
import { newSessionNumber } from './numbers.ts';
import { PeerSession } from './peer-session.ts';
import type { Receiver } from './publication.ts';
import { SessionBook } from './session-book.ts';
import type { OpenedSession, OpenRequest, SessionEvents } from './types.ts';

export type WhipSessionsDeps = {
  readonly plane: Pick<MediaPlane, 'place'>;
  readonly receiver: Receiver;
  readonly clock: Clock;
  readonly log: Log;
  /** Cryptographically random bytes. */
  readonly random: (bytes: number) => Uint8Array;
  readonly events?: SessionEvents;
};

export type PublishRequest = OpenRequest & {
  /** Of the stream key by which the publisher may; absent where a token or an account did. */
  readonly keySha256?: string | undefined;
};

/** A publisher that loses its picture is told so often at most: each is a burst of packets. */
const keyFrameDelayMs = 1_000;

export class WhipSessions {
  readonly #deps: WhipSessionsDeps;
  /** Those that last. */
  readonly sessions: SessionBook;

  constructor(deps: WhipSessionsDeps) {
    this.#deps = deps;
    this.sessions = new SessionBook(deps, {
      max: sessionLimits.publishersMax,
      ofOneMax: sessionLimits.publishersOfOneMax,
      what: 'publishers by WebRTC',
    });
  }

  /**
   * Answers an offer.
   *
   * @throws AppError invalid_argument     the offer is none, or sends no H.264 (`isUnacceptable`)
   * @throws AppError resource_exhausted   too many sessions, in all or of the caller
   * @throws AppError already_exists       another publisher sends to the stream
   * @throws AppError failed_precondition  the stream takes no publisher
   * @throws AppError unavailable          there is no worker, or recording is away
   */
  async open(request: PublishRequest): Promise<OpenedSession> {
    const offer = readOffer(request.offer);
    const lines = linesOf(offer);
    return this.sessions.opening(request.caller.id, (taken) => this.#open(request, { offer, lines, taken }));
  }

  async #open(
    request: PublishRequest,
    {
      offer,
      lines,
      taken,
    }: {
      readonly offer: PeerDescription;
      readonly lines: { readonly video: PeerMedia; readonly audio: PeerMedia | undefined };
      readonly taken: Lifetime;
    },
  ): Promise<OpenedSession> {
    const { plane, receiver, clock, log, random, events = {} } = this.#deps;
    const { streamId, caller, keySha256, signal } = request;
    const use = { isRecorded: true };
    const worker = plane.place(streamId, use);
    const capabilities = worker.router.rtpCapabilities;
    const transport = await worker.createPeer({ key: streamId, ...use });
    taken.defer(() => transport.close());
    const receives = new Map<string, types.RtpParameters>();
    const produce = (line: PeerMedia, kind: 'audio' | 'video') => {
      const rtpParameters = producerParameters(line, capabilities);
      receives.set(line.mid, rtpParameters);
      return transport.produce({
        kind,
        rtpParameters,
        ...(kind === 'video' ? { keyFrameRequestDelay: keyFrameDelayMs } : {}),
      });
    };
    const video = await produce(lines.video, 'video');
    const audio = lines.audio === undefined ? undefined : await produce(lines.audio, 'audio');
    const reception = await receiver.receive({ streamId, worker, video, audio, publisher: caller.name, keySha256 });
    let session: PeerSession | undefined;
    taken.defer(() => reception.close({ isLost: session === undefined || isLost(session) }));
    await transport.connect({ dtlsParameters: offer.dtls });
    signal?.throwIfAborted();
    const opened = new PeerSession(
      { clock, log, random, events },
      {
        ...{ kind: 'publisher', streamId, caller, worker, transport, offer },
        taken: offer.media.filter(({ mid }) => receives.has(mid)),
        addresses: worker.candidateAddresses(...request.reachedAt),
      },
    );
    session = opened;
    this.sessions.add(opened, taken);
    reception.onEnded((message) => void opened.end({ end: 'stream-ended', message }));
    opened.start();
    const refusals = refusalsOf(offer, receives);
    const answer = whipAnswer({ ...opened.own, offer, receives, refusals, sessionId: newSessionNumber(random) });
    return { id: opened.id, streamId, entityTag: opened.entityTag, answer, notes: [...refusals.values()] };
  }
}

/** Its last fragment may lack something. */
function isLost({ howEnded }: PeerSession): boolean {
  return howEnded !== 'closed' && howEnded !== 'shutdown';
}

const sends = ({ direction }: PeerMedia) => direction === 'sendonly' || direction === 'sendrecv';

/** The first line with H.264, and the first with Opus beside it. */
function linesOf(offer: PeerDescription): { readonly video: PeerMedia; readonly audio: PeerMedia | undefined } {
  const isWanted = (line: PeerMedia) =>
    sends(line) && payloadTypesOf(line).has(line.kind === 'video' ? 'h264' : 'opus');
  const video = takenLines(offer, (line) => line.kind === 'video' && isWanted(line))[0];
  if (video === undefined) {
    const names = offer.media.flatMap((line) =>
      line.kind === 'video' && sends(line) ? line.codecs.map(({ mimeType }) => mimeType.slice('video/'.length)) : [],
    );
    const offered = [...new Set(names)].filter((name) => !/^(?:rtx|red|ulpfec|flexfec)/i.test(name)).slice(0, 8);
    throw appError('invalid_argument', 'the offer sends no H.264 (packetization-mode 1), which is what is recorded', {
      isUnacceptable: true,
      hint:
        offered.length === 0
          ? 'add a line of video that is sendonly, with rtcp-mux'
          : `it has ${offered.join(', ')}: set the publisher to H.264, with Opus for sound`,
    });
  }
  const audio = takenLines(offer, (line) => line === video || (line.kind === 'audio' && isWanted(line))).find(
    (line) => line.kind === 'audio',
  );
  return { video, audio };
}

/** By mid: why a line that the publisher would send was not taken. */
function refusalsOf(offer: PeerDescription, receives: ReadonlyMap<string, unknown>): Map<string, string> {
  const refused = offer.media.filter((line) => sends(line) && !line.isRejected && !receives.has(line.mid));
  return new Map(
    refused.map((line) => {
      const isSecond = payloadTypesOf(line).has(line.kind === 'video' ? 'h264' : 'opus');
      const why =
        line.kind === undefined
          ? 'nothing but sound and pictures is taken'
          : isSecond
            ? `one line of ${line.kind} is recorded`
            : `of ${line.kind} only ${line.kind === 'audio' ? 'Opus' : 'H.264'} is recorded`;
      return [line.mid, why];
    }),
  );
}
