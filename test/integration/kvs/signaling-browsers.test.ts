/**
 * Two browsers that find each other through a channel, by the stock SDK (amazon-kinesis-video-streams-webrtc), and send each other
 * picture and sound. Numbers are those of the checklist.
 */

import { Agent } from 'node:https';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { GetIceServerConfigCommand, KinesisVideoSignalingClient } from '@aws-sdk/client-kinesis-video-signaling';
import type { Page } from 'playwright-core';
import { expect, onTestFinished, test } from 'vitest';
import { StunAnswerer } from '../../../gateway/webrtc/index.ts';
import { systemClock } from '../../../storage/base/clock.ts';
import { createLog } from '../../../storage/base/log.ts';
import { startBrowser } from '../../kit/browser.ts';
import { temporaryDirectory } from '../../kit/temp.ts';
import { isTurnServerHere, startTurnServer } from '../../kit/turn.ts';
import { until } from '../../kit/until.ts';
import type { SiteOptions } from '../admin/kit.ts';
import { everything } from './kit.ts';
import { startSignaling } from './signaling-kit.ts';

type Figures = {
  readonly framesDecoded: number;
  readonly audioSamples: number;
  readonly candidateTypes: readonly (string | undefined)[];
  readonly heard: readonly (readonly [what: string, sender: string | undefined])[];
};

const { resolve } = createRequire(import.meta.url);
/** The bundle for pages is not named by the package. */
const sdk = join(dirname(resolve('amazon-kinesis-video-streams-webrtc')), '..', 'dist', 'kvs-webrtc.min.js');

/** A site, and pages of somebody else's origin that know it by the URLs of its API. */
async function startPeers(options: SiteOptions = {}) {
  const { endpoints, arn, credentials, endpoint, site } = await startSignaling([everything], options);
  const browser = await startBrowser([
    '--use-fake-device-for-media-stream',
    '--use-fake-ui-for-media-stream',
    // Chromium asks a person before a page from elsewhere may reach this machine.
    '--disable-features=LocalNetworkAccessChecks',
    // Hosts without another network have this one alone.
    '--allow-loopback-in-peer-connection',
  ]);
  onTestFinished(() => browser.close());
  const context = await browser.newContext({ ignoreHTTPSErrors: true });
  const start = async (role: 'MASTER' | 'VIEWER', change: object = {}) => {
    const page = await context.newPage();
    await page.route('https://peers.example/', (route) =>
      route.fulfill({ contentType: 'text/html', body: '<!doctype html><title>peer</title>' }),
    );
    await page.goto('https://peers.example/');
    await page.addScriptTag({ path: sdk });
    await page.addScriptTag({ path: join(import.meta.dirname, 'peer-page.js') });
    const wish = { role, channelARN: arn, channelEndpoint: endpoints[role], credentials, ...change };
    await page.evaluate(`peer.start(${JSON.stringify(wish)})`);
    return page;
  };
  return { start, arn, credentials, endpoint, site };
}

/** As the SDK's samples ask for them, and hand them to their connections. */
async function iceServersOf(
  peers: Pick<Awaited<ReturnType<typeof startPeers>>, 'arn' | 'credentials' | 'endpoint' | 'site'>,
) {
  const { arn, credentials, endpoint, site } = peers;
  const api = new KinesisVideoSignalingClient({
    ...{ endpoint, region: 'eu-central-1', credentials, maxAttempts: 1 },
    requestHandler: { httpsAgent: new Agent({ ca: site.ca }) },
  });
  onTestFinished(() => api.destroy());
  const { IceServerList = [] } = await api.send(new GetIceServerConfigCommand({ ChannelARN: arn }));
  return IceServerList.map(({ Uris, Username, Password }) => ({
    ...{ urls: Uris, username: Username, credential: Password },
  }));
}

const figuresOf = (page: Page): Promise<Figures> => page.evaluate('peer.figures()');

/** Resolves when pictures and sound go on arriving. */
async function receives(page: Page): Promise<Figures> {
  await until('media arrives', async () => (await figuresOf(page)).framesDecoded > 0);
  const before = await figuresOf(page);
  return until('more of it arrives', async () => {
    const now = await figuresOf(page);
    return now.framesDecoded >= before.framesDecoded + 10 && now.audioSamples > before.audioSamples ? now : undefined;
  });
}

test('(95) the SDK for JavaScript as master and viewer, in two pages: picture and sound go both ways, from peer to peer', async () => {
  const { start, site } = await startPeers();
  const master = await start('MASTER');
  const viewer = await start('VIEWER', { clientId: 'viewer-1' });

  const [atMaster, atViewer] = await Promise.all([receives(master), receives(viewer)]);

  expect(atMaster.heard[0]).toEqual(['offer', 'viewer-1']);
  expect(new Set(atMaster.heard.map(([, sender]) => sender))).toEqual(new Set(['viewer-1']));
  // What the SDK was told nothing of, it says nothing of either.
  expect(atViewer.heard.find(([what]) => what === 'answer')?.[1] ?? undefined).toBeUndefined();
  expect(atViewer.heard.some(([what]) => what === 'candidate')).toBe(true);
  expect(atViewer.heard.every(([, sender]) => sender == null)).toBe(true);
  expect(site.transcript.filter((line) => line.includes('"level":"error"'))).toEqual([]);
});

test('on a LAN they need no TURN server: what they are told of is the STUN of the appliance', async () => {
  const log = createLog({ level: 'error' });
  // The site is known as localhost, which is IPv6 too.
  const stun = new StunAnswerer({ clock: systemClock, log }, { address: '::', port: 0 });
  onTestFinished(() => stun.close());
  await stun.start();
  const { start, ...asked } = await startPeers({ stunPort: stun.port ?? 0 });
  const iceServers = await iceServersOf(asked);
  const master = await start('MASTER', { iceServers });
  const viewer = await start('VIEWER', { clientId: 'viewer-1', iceServers });

  await Promise.all([receives(master), receives(viewer)]);

  expect(iceServers.map(({ urls }) => urls)).toEqual([[`stun:localhost:${stun.port}`]]);
});

test('(95, 98) a viewer that was there first is answered by a master that comes later', async () => {
  const { start } = await startPeers();
  const viewer = await start('VIEWER', { clientId: 'viewer-1' });
  const master = await start('MASTER');

  await Promise.all([receives(master), receives(viewer)]);
});

test.skipIf(!isTurnServerHere)(
  '(94) two browsers that may use nothing but the TURN server get through it, by the credentials that we give out',
  async () => {
    const secret = 'shared with the TURN server';
    const turn = await startTurnServer({ secret, directory: await temporaryDirectory(), relaysToLoopback: true });
    const uris = [`turn:127.0.0.1:${turn.port}?transport=udp`];
    const { start, arn, credentials, endpoint, site } = await startPeers({ turnServers: { uris, ttlS: 300, secret } });
    const iceServers = await iceServersOf({ arn, credentials, endpoint, site });
    const relayed = { iceServers, iceTransportPolicy: 'relay' };
    const master = await start('MASTER', relayed);
    const viewer = await start('VIEWER', { clientId: 'viewer-1', ...relayed });

    const [atMaster, atViewer] = await Promise.all([receives(master), receives(viewer)]);

    expect([atMaster.candidateTypes, atViewer.candidateTypes]).toEqual([
      ['relay', 'relay'],
      ['relay', 'relay'],
    ]);
  },
);
