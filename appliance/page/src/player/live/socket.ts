/**
 * Live by WebSocket: fMP4 parts of `/api/streams/:id/live` appended to a media source as they come. Says by itself when it is
 * late, and whoever opened it begins anew: what waits in the network cannot be skipped from here.
 */

import { LiveEdge } from './live-edge.ts';
import { type Failure, type Session, type SessionEvents, startPlaying, whenPictured } from './session.ts';

type Message =
  | { readonly type: 'begin'; readonly mime: string; readonly time: TimePoint }
  | { readonly type: 'time'; readonly time: TimePoint }
  | { readonly type: 'dropped' | 'away' }
  | { readonly type: 'refused'; readonly error: { readonly message: string } };
type TimePoint = { readonly positionMs: number; readonly serverTimestampMs: number };

const periodMs = 200;
/** The appliance says something every 5 s, whatever the camera does. */
const silenceMsMax = 15_000;
/** Before the first key frame there is nothing to say. */
const firstMsMax = 25_000;
/** Later than this it is begun anew. */
const lateSMax = 5;
const keptS = 10;
const queuedBytesMax = 64 * 1024 * 1024;
const loggedOutCode = 4401;
const tryLaterCode = 1013;

/** Media sources, by the name they have on iPhones too. */
export function mediaSourceClass(): typeof MediaSource | undefined {
  const known = globalThis as { ManagedMediaSource?: typeof MediaSource; MediaSource?: typeof MediaSource };
  return known.MediaSource ?? known.ManagedMediaSource;
}

/** @param url  of the WebSocket */
export function openSocket(url: string, video: HTMLVideoElement, events: SessionEvents): Session {
  const Source = mediaSourceClass();
  const edge = new LiveEdge();
  let buffer: SourceBuffer | undefined;
  let objectUrl: string | undefined;
  let mime = '';
  let queue: ArrayBuffer[] = [];
  let queuedBytes = 0;
  let time: TimePoint | undefined;
  let hasBegun = false;
  let heardMs = performance.now();
  let hasHeard = false;
  let hasPicture = false;
  let isAway = false;
  let isOver = false;
  let stopWaiting = () => {};
  const nowS = () => performance.now() / 1000;

  const close = () => {
    isOver = true;
    clearInterval(timer);
    stopWaiting();
    video.removeEventListener('waiting', onWaiting);
    video.removeEventListener('error', onError);
    socket?.close();
    if (objectUrl !== undefined) URL.revokeObjectURL(objectUrl);
  };
  const fail = (failure: Failure) => {
    if (isOver) return;
    close();
    events.onFailed(failure);
  };
  const onWaiting = () => {
    if (hasBegun) edge.stalled(nowS());
  };
  const onError = () => fail({ kind: 'lost', message: `the picture cannot be decoded: ${video.error?.message ?? ''}` });

  /** A media source for these codecs; what is shown goes on where they are the same. */
  const begin = (wanted: string) => {
    edge.forget();
    if (wanted === mime && buffer !== undefined) return;
    queue = [];
    queuedBytes = 0;
    buffer = undefined;
    mime = wanted;
    hasBegun = false;
    if (Source === undefined) return;
    const source = new Source();
    if (objectUrl !== undefined) URL.revokeObjectURL(objectUrl);
    objectUrl = URL.createObjectURL(source);
    video.disableRemotePlayback = true;
    video.src = objectUrl;
    source.addEventListener(
      'sourceopen',
      () => {
        if (isOver || mime !== wanted) return;
        source.duration = Number.POSITIVE_INFINITY;
        buffer = source.addSourceBuffer(wanted);
        buffer.addEventListener('updateend', pump);
        pump();
      },
      { once: true },
    );
  };

  const take = (message: Message) => {
    switch (message.type) {
      case 'begin': {
        const wanted = playableMime(message.mime, Source);
        if (wanted === undefined)
          return fail({ kind: 'refused', message: `this browser cannot play ${codecsIn(message.mime)}` });
        time = message.time;
        if (isAway && hasPicture) events.onPicture();
        isAway = false;
        return begin(wanted);
      }
      case 'time':
        time = message.time;
        return;
      case 'away':
        isAway = true;
        return events.onAway();
      case 'refused':
        return fail({ kind: 'refused', message: message.error.message });
    }
  };

  function pump(): void {
    if (isOver || buffer === undefined || buffer.updating || video.error !== null) return;
    const { buffered } = buffer;
    if (buffered.length > 0) edge.arrived(buffered.end(buffered.length - 1), nowS());
    steer();
    try {
      if (queue.length > 0) {
        const bytes = queue.length === 1 && queue[0] !== undefined ? queue[0] : joined(queue, queuedBytes);
        buffer.appendBuffer(bytes);
        queue = [];
        queuedBytes = 0;
      } else if (buffered.length > 0 && buffered.start(0) < video.currentTime - 2 * keptS) {
        buffer.remove(0, video.currentTime - keptS);
      }
    } catch (error) {
      if (error instanceof DOMException && error.name === 'QuotaExceededError' && video.currentTime > 1)
        buffer.remove(0, video.currentTime - 1);
      else fail({ kind: 'lost', message: `the picture cannot be played (${String(error)})` });
    }
  }

  function steer(): void {
    if (buffer === undefined || (hasBegun && video.paused)) return;
    const ranges = Array.from({ length: buffer.buffered.length }, (_, i) => ({
      beginS: buffer?.buffered.start(i) ?? 0,
      endS: buffer?.buffered.end(i) ?? 0,
    }));
    if (ranges.length === 0 || video.seeking) return;
    const move = edge.move(video.currentTime, ranges, nowS());
    if (move.kind === 'jump') video.currentTime = move.toS;
    else if (video.playbackRate !== move.rate) video.playbackRate = move.rate;
    if (hasBegun) return;
    hasBegun = true;
    video.playbackRate = 1;
    void startPlaying(video);
  }

  const socket = Source === undefined ? undefined : new WebSocket(url);
  if (socket !== undefined) {
    socket.binaryType = 'arraybuffer';
    socket.onmessage = ({ data }: MessageEvent<string | ArrayBuffer>) => {
      if (isOver) return;
      heardMs = performance.now();
      hasHeard = true;
      if (typeof data === 'string') return take(JSON.parse(data) as Message);
      queue.push(data);
      queuedBytes += data.byteLength;
      if (queuedBytes > queuedBytesMax)
        return fail({ kind: 'lost', message: 'the browser takes the picture too slowly' });
      pump();
    };
    socket.onclose = ({ code, reason }) => fail(closedWith(code, reason, hasHeard));
  }
  video.addEventListener('waiting', onWaiting);
  video.addEventListener('error', onError);
  stopWaiting = whenPictured(video, () => {
    hasPicture = true;
    if (!isOver) events.onPicture();
  });
  const timer = setInterval(() => {
    const silentMs = performance.now() - heardMs;
    if (silentMs > (hasHeard ? silenceMsMax : firstMsMax))
      return fail({ kind: 'lost', message: 'the connection has fallen silent' });
    const end = buffer?.buffered.length ? buffer.buffered.end(buffer.buffered.length - 1) : undefined;
    const late = end === undefined || silentMs > 1_000 ? 0 : (edge.behindS(end, nowS()) ?? 0);
    if (late > lateSMax) return fail({ kind: 'lost', message: 'the network was too slow' });
    if (buffer?.updating === false) steer();
  }, periodMs);
  if (Source === undefined)
    queueMicrotask(() => fail({ kind: 'unsupported', message: 'this browser has no media sources' }));

  return {
    figures: () => ({
      behindS: hasBegun ? edge.behindS(video.currentTime, nowS()) : undefined,
      atMs:
        time === undefined || !hasBegun
          ? undefined
          : time.serverTimestampMs + video.currentTime * 1000 - time.positionMs,
    }),
    close,
  };
}

function closedWith(code: number, reason: string, hasHeard: boolean): Failure {
  if (code === loggedOutCode) return { kind: 'refused', message: 'the login has ended: load the page again' };
  if (code === tryLaterCode) return { kind: 'not-ready', message: reason || 'too many live views are open' };
  if (code > 4000) return { kind: 'refused', message: reason || 'the appliance refuses' };
  return hasHeard
    ? { kind: 'lost', message: 'the connection was lost' }
    : { kind: 'lost', message: 'no WebSocket can be opened' };
}

/** As this browser calls it: FLAC in MP4 has two names. */
function playableMime(mime: string, Source: typeof MediaSource | undefined): string | undefined {
  return [mime, mime.replace('fLaC', 'flac')].find((name) => Source?.isTypeSupported(name));
}

function codecsIn(mime: string): string {
  return /codecs="([^"]*)"/.exec(mime)?.[1] ?? mime;
}

function joined(buffers: readonly ArrayBuffer[], byteLength: number): ArrayBuffer {
  const bytes = new Uint8Array(byteLength);
  let at = 0;
  for (const buffer of buffers) {
    bytes.set(new Uint8Array(buffer), at);
    at += buffer.byteLength;
  }
  return bytes.buffer;
}
