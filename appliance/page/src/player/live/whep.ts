/**
 * Live by WebRTC (WHEP): an offer is posted, the answer brings the appliance's addresses. Candidates of ours need not be told: the
 * appliance is ICE-lite and learns them from our checks. The session is deleted when it is left.
 */

import { ApiError, faultOf } from '../../api.ts';
import { type Failure, type Session, type SessionEvents, startPlaying, whenPictured } from './session.ts';

const answerMsMax = 15_000;
const deleteMsMax = 2_000;
/** Over UDP it takes a moment; over TCP, where UDP is blocked, some seconds more. */
const connectMsMax = 12_000;
/** A connection that is interrupted comes back by itself, or not at all. */
const interruptedMsMax = 4_000;
const statsMs = 1_000;
/** Pictures that do not come for so long are lost: sooner where they came several times a second. */
const silenceMsMax = 8_000;
const silenceMsMaxOfMany = 3_000;
const manyPerSecond = 4;

type InboundVideo = {
  readonly framesDecoded?: number;
  readonly jitterBufferDelay?: number;
  readonly jitterBufferEmittedCount?: number;
  readonly totalProcessingDelay?: number;
};

/** @param url  of the WHEP endpoint of a stream */
export function openWhep(url: string, video: HTMLVideoElement, events: SessionEvents): Session {
  const leave = new AbortController();
  let connection: RTCPeerConnection | undefined;
  let location: string | undefined;
  let isOver = false;
  let stopWaiting = () => {};
  let timer: ReturnType<typeof setTimeout> | undefined;
  let statsTimer: ReturnType<typeof setInterval> | undefined;
  let behindS: number | undefined;

  const close = () => {
    if (isOver) return;
    isOver = true;
    clearTimeout(timer);
    clearInterval(statsTimer);
    stopWaiting();
    removeEventListener('pagehide', close);
    leave.abort();
    if (location === undefined) {
      connection?.close();
      return;
    }
    // In this order: a connection that closes takes its session along, which then can be deleted no more.
    fetch(location, { method: 'DELETE', keepalive: true, signal: AbortSignal.timeout(deleteMsMax) })
      .catch(() => {})
      .finally(() => connection?.close());
  };
  const fail = (failure: Failure) => {
    if (isOver) return;
    close();
    events.onFailed(failure);
  };

  const watchPictures = (peer: RTCPeerConnection) => {
    let before: InboundVideo = {};
    let newestMs = performance.now();
    let perSecond = 0;
    statsTimer = setInterval(async () => {
      const stats = [...(await peer.getStats().catch(() => new Map())).values()];
      const inbound = stats.find((one) => one.type === 'inbound-rtp' && one.kind === 'video') as
        | InboundVideo
        | undefined;
      const pair = stats.find((one) => one.type === 'candidate-pair' && one.nominated === true);
      if (isOver || inbound === undefined) return;
      const now = performance.now();
      const pictures = (inbound.framesDecoded ?? 0) - (before.framesDecoded ?? 0);
      if (pictures > 0) perSecond = perSecond === 0 ? pictures : perSecond * 0.8 + pictures * 0.2;
      if (pictures > 0 || document.hidden) newestMs = now;
      behindS = delayOf(before, inbound, pair?.currentRoundTripTime) ?? behindS;
      before = inbound;
      const silenceMs = perSecond >= manyPerSecond ? silenceMsMaxOfMany : silenceMsMax;
      if (now - newestMs > silenceMs) fail({ kind: 'lost', message: 'no pictures come' });
    }, statsMs);
  };

  const connect = async () => {
    const peer = new RTCPeerConnection({ bundlePolicy: 'max-bundle' });
    connection = peer;
    peer.addTransceiver('video', { direction: 'recvonly' });
    peer.addTransceiver('audio', { direction: 'recvonly' });
    const media = new MediaStream();
    peer.ontrack = ({ track }) => {
      media.addTrack(track);
      if (video.srcObject !== media) video.srcObject = media;
      void startPlaying(video);
    };
    const offer = await peer.createOffer();
    const answer = await post(url, offer.sdp ?? '', AbortSignal.any([leave.signal, AbortSignal.timeout(answerMsMax)]));
    location = answer.location;
    if (isOver) {
      // It was left while the answer was on its way.
      if (location !== undefined) fetch(location, { method: 'DELETE', keepalive: true }).catch(() => {});
      return;
    }
    if (answer.notes !== '') events.onNotes(answer.notes);
    // Before the offer is set, so that candidates are gathered with them.
    peer.setConfiguration({ bundlePolicy: 'max-bundle', iceServers: answer.iceServers });
    let isConnected = false;
    timer = setTimeout(
      () => fail({ kind: 'network', message: 'no WebRTC connection comes about: a firewall may be in its way' }),
      connectMsMax,
    );
    peer.onconnectionstatechange = () => {
      clearTimeout(timer);
      if (peer.connectionState === 'connected') {
        isConnected = true;
        return;
      }
      if (peer.connectionState === 'failed') {
        return fail(
          isConnected
            ? { kind: 'lost', message: 'the WebRTC connection was lost' }
            : { kind: 'network', message: 'no WebRTC connection comes about: a firewall may be in its way' },
        );
      }
      const waitMs = isConnected ? interruptedMsMax : connectMsMax;
      timer = setTimeout(() => fail({ kind: 'lost', message: 'the WebRTC connection was interrupted' }), waitMs);
    };
    await peer.setLocalDescription(offer);
    await peer.setRemoteDescription({ type: 'answer', sdp: answer.sdp });
    watchPictures(peer);
  };

  stopWaiting = whenPictured(video, () => {
    if (!isOver) events.onPicture();
  });
  addEventListener('pagehide', close);
  if (typeof RTCPeerConnection === 'undefined') {
    queueMicrotask(() => fail({ kind: 'unsupported', message: 'this browser has no WebRTC' }));
  } else {
    connect().catch((error: unknown) => fail(failureOf(error)));
  }
  return {
    figures: () => ({
      behindS,
      atMs: behindS === undefined ? undefined : Date.now() - behindS * 1000,
    }),
    close,
  };
}

class NotReady extends Error {
  readonly retryAfterMs: number | undefined;
  constructor(message: string, retryAfterMs: number | undefined) {
    super(message);
    this.retryAfterMs = retryAfterMs;
  }
}

async function post(url: string, sdp: string, signal: AbortSignal) {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/sdp' },
    body: sdp,
    signal,
  });
  if (response.status === 201) {
    const location = response.headers.get('location');
    return {
      sdp: await response.text(),
      location: location === null ? undefined : new URL(location, response.url).href,
      iceServers: iceServersIn(response.headers.get('link') ?? ''),
      notes: decodeURIComponent(response.headers.get('weir-notes') ?? ''),
    };
  }
  const body = (await response.json().catch(() => undefined)) as
    | { error?: { code: string; message: string } }
    | undefined;
  const fault = body?.error ?? { code: 'internal', message: `the appliance answered with status ${response.status}` };
  // 409: the camera is away; it is told when it is back.
  if (response.status === 503 || response.status === 409) {
    const seconds = Number(response.headers.get('retry-after') ?? Number.NaN);
    throw new NotReady(fault.message, seconds > 0 ? seconds * 1000 : undefined);
  }
  throw new ApiError(response.status, fault);
}

function failureOf(error: unknown): Failure {
  if (error instanceof NotReady) {
    const { message, retryAfterMs } = error;
    return { kind: 'not-ready', message, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
  }
  if (error instanceof ApiError) return { kind: 'refused', message: faultOf(error).message };
  if (error instanceof TypeError) return { kind: 'lost', message: 'the appliance cannot be reached' };
  const isTimeout = error instanceof DOMException && error.name === 'TimeoutError';
  return { kind: 'lost', message: isTimeout ? 'WebRTC was not answered in time' : `WebRTC failed (${String(error)})` };
}

/** Seconds from the network to the screen, as the last second had them. */
function delayOf(before: InboundVideo, now: InboundVideo, roundTripS: number | undefined): number | undefined {
  const pictures = (now.jitterBufferEmittedCount ?? 0) - (before.jitterBufferEmittedCount ?? 0);
  if (pictures <= 0) return undefined;
  const buffered = ((now.jitterBufferDelay ?? 0) - (before.jitterBufferDelay ?? 0)) / pictures;
  const decoded = (now.framesDecoded ?? 0) - (before.framesDecoded ?? 0);
  // From the first packet to the decoded picture; it has the jitter buffer in it.
  const processed =
    decoded > 0 ? ((now.totalProcessingDelay ?? 0) - (before.totalProcessingDelay ?? 0)) / decoded : Number.NaN;
  return (Number.isFinite(processed) ? Math.max(processed, buffered) : buffered) + (roundTripS ?? 0) / 2;
}

/** `Link` headers with `rel="ice-server"`, as RFC 9725 has them. */
export function iceServersIn(link: string): RTCIceServer[] {
  const servers: RTCIceServer[] = [];
  for (const [, urls = '', attributes = ''] of link.matchAll(
    /<([^>]*)>((?:\s*;\s*[\w-]+\s*=\s*(?:"[^"]*"|[^\s;,]*))*)/g,
  )) {
    const value = (name: string) => new RegExp(`[;\\s]${name}\\s*=\\s*"?([^";,]*)"?`).exec(attributes)?.[1];
    if (value('rel') !== 'ice-server') continue;
    const username = value('username');
    const credential = value('credential');
    servers.push({
      urls,
      ...(username === undefined ? {} : { username }),
      ...(credential === undefined ? {} : { credential }),
    });
  }
  return servers;
}
