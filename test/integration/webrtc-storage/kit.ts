/** Storage sessions on a real worker, pages of Chromium as their peers, and a stream that writes down what it gets. */

import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { onTestFinished } from 'vitest';
import type { PeerLeaving, SignaledCandidate, StoragePeer } from '../../../gateway/kvs/index.ts';
import { PeerMedia } from '../../../gateway/webrtc/receive/index.ts';
import { StorageSessions, type StorageSessionsDeps } from '../../../gateway/webrtc/storage-session/index.ts';
import { type Clock, systemClock } from '../../../storage/base/clock.ts';
import { type AppError, appError } from '../../../storage/base/errors.ts';
import { createLog } from '../../../storage/base/log.ts';
import type { AccessUnit } from '../../../storage/model/access-unit.ts';
import type { Track } from '../../../storage/model/track.ts';
import { startBrowser } from '../../kit/browser.ts';
import { startPlane } from '../webrtc-media-plane/kit.ts';

/** What came of one master, from one opening to the next. */
export type Stored = {
  readonly requestId: string;
  readonly sessions: (readonly Track[])[];
  readonly units: AccessUnit[];
  readonly warnings: string[];
  isClosed: boolean;
  /** The stream ends it. */
  end(error: AppError): void;
};

export type TestPeer = StoragePeer & {
  readonly offers: string[];
  readonly candidates: SignaledCandidate[];
  connected: boolean;
  allowed: boolean;
  leave(leaving?: PeerLeaving): void;
};

export type Figures = {
  readonly state: string;
  readonly framesDecoded: number;
  readonly widthPixels: number;
  readonly audioPackets: number;
};

export async function startStorage(
  workerPath: string,
  { clock = systemClock, ...change }: Partial<StorageSessionsDeps> & { readonly clock?: Clock } = {},
) {
  const { plane, untilState, place } = await startPlane({ workerPath: () => workerPath });
  await untilState('ready');
  const lines: string[] = [];
  const stored: Stored[] = [];
  const refusing: { with: AppError | undefined } = { with: undefined };
  const log = createLog({ level: 'debug', destination: { write: (line) => void lines.push(line) } });
  const sessions = new StorageSessions({
    ...{ clock, log, random: Math.random, ffmpeg: 'ffmpeg', plane },
    newMedia: ({ sink, onFault }, { worker, video, audio }) =>
      new PeerMedia({ clock, random: Math.random, worker, sink, onFault }, { video, audio }),
    newPut: ({ onEnded }, { requestId }) => notingPut(stored, { requestId, onEnded, refusing }),
    ...change,
  });
  onTestFinished(() => sessions.close());
  let connections = 0;
  const peerOf = (role: 'master' | 'viewer', clientId?: string, streamId = 'stream1'): TestPeer => {
    const peer: TestPeer = {
      ...{ connectionId: `c${++connections}`, channel: { id: 'channel1', name: 'gate' }, streamId, role, clientId },
      ...{ subject: 'access-key client', localAddress: '127.0.0.1', offers: [], candidates: [] },
      ...{ connected: true, allowed: true },
      isConnected: () => peer.connected,
      mayStay: () => peer.allowed,
      sendOffer: (sdp) => void peer.offers.push(sdp),
      sendAnswer: () => {},
      sendCandidate: (candidate) => void peer.candidates.push(candidate),
      leave: (leaving = 'gone') => {
        peer.connected = false;
        sessions.left(peer, leaving);
      },
    };
    return peer;
  };
  return { sessions, stored, lines, refusing, peerOf, plane, kill: () => place('channel1').kill() };
}

export type StorageSite = Awaited<ReturnType<typeof startStorage>>;

function notingPut(
  stored: Stored[],
  {
    requestId,
    onEnded,
    refusing,
  }: {
    readonly requestId: string;
    readonly onEnded: (error: AppError) => void;
    readonly refusing: { readonly with: AppError | undefined };
  },
) {
  const one: Stored = { requestId, sessions: [], units: [], warnings: [], isClosed: false, end: onEnded };
  stored.push(one);
  if (refusing.with !== undefined) queueMicrotask(() => refusing.with !== undefined && onEnded(refusing.with));
  return {
    close: async () => {
      one.isClosed = true;
    },
    session: (tracks: readonly Track[]) => void one.sessions.push(tracks),
    unit: (unit: AccessUnit) => void one.units.push({ ...unit, bytes: unit.bytes.slice() }),
    loss: () => {},
    clock: () => {},
    warning: (text: string) => void one.warnings.push(text),
  };
}

export const away = () => appError('unavailable', 'the owner is away');

/** A browser whose pages are peers: each has a picture that moves, and a tone. */
export async function startPages() {
  const browser = await startBrowser([
    '--use-fake-device-for-media-stream',
    '--use-fake-ui-for-media-stream',
    '--disable-features=LocalNetworkAccessChecks',
    '--allow-loopback-in-peer-connection',
  ]);
  onTestFinished(() => browser.close());
  const context = await browser.newContext({ ignoreHTTPSErrors: true });
  const open = async () => {
    const page = await context.newPage();
    await page.route('https://peers.example/', (route) =>
      route.fulfill({ contentType: 'text/html', body: '<!doctype html><title>peer</title>' }),
    );
    await page.goto('https://peers.example/');
    await page.addScriptTag({ path: join(import.meta.dirname, 'storage-page.js') });
    return page;
  };
  return { open };
}

export type Sends = readonly ('video' | 'audio')[];

/** The page's answer to the newest offer, given to the session. */
export async function answer(
  { sessions }: Pick<StorageSite, 'sessions'>,
  {
    page,
    peer,
    sends,
    toneHz,
  }: { readonly page: Page; readonly peer: TestPeer; readonly sends: Sends; readonly toneHz?: number },
): Promise<void> {
  const wish = { offer: peer.offers.at(-1), sends, ...(toneHz === undefined ? {} : { toneHz }) };
  const sdp: string = await page.evaluate(`peer.answer(${JSON.stringify(wish)})`);
  await sessions.answer(peer, sdp);
}

export const figuresOf = (page: Page): Promise<Figures> => page.evaluate('peer.figures()');

/** How loud each tone is in what a page hears, 0..255. */
export const hears = (page: Page, frequencies: readonly number[]): Promise<number[]> =>
  page.evaluate(`peer.hears(${JSON.stringify(frequencies)})`);
