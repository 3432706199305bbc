import { expect, test } from 'vitest';
import { until } from '../../kit/until.ts';
import { type LiveSiteOptions, startLiveSite } from './kit.ts';
import { openPage } from './page.ts';

/** A site with a camera called Yard, and a token that may view it. */
async function startWatched(options: LiveSiteOptions) {
  const site = await startLiveSite(options);
  const admin = await site.admin();
  await admin.post('/api/cameras', { name: 'Yard', source: { kind: 'rtsp', url: 'rtsp://192.0.2.1/' } });
  const token = await admin.post('/api/tokens', { name: 'player', role: 'viewer', policies: [] });
  return {
    site,
    admin,
    url: `${site.origin}/whep/Yard`,
    token: token.json.secret as string,
    tokenId: token.json.token.id,
  };
}

test.each([
  ['opus', 'audio/opus'],
  ['aac', 'audio/opus'],
  ['pcmu', 'audio/PCMU'],
  ['pcma', 'audio/PCMA'],
] as const)('Chromium decodes moving pictures and sound of a camera that sends %s', async (audio, codec) => {
  const { url, token } = await startWatched({ camera: { audio } });
  const { play, figures } = await openPage();

  const told = await play({ url, token });

  expect([told.status, told.text]).toEqual([201, expect.stringContaining('v=0')]);
  await until('pictures move and sound is decoded', async () => {
    const { framesDecoded, audioSamples, protocol } = await figures();
    // Chromium names the pair a moment after it is used.
    return framesDecoded > 40 && audioSamples > 8_000 && protocol !== '';
  });
  const seen = await figures();
  expect(seen).toMatchObject({ state: 'connected', videoCodec: 'video/H264', audioCodec: codec, protocol: 'udp' });
});

test('a viewer behind a firewall that lets no UDP out sees the picture over TCP', async () => {
  const { url, token } = await startWatched({ camera: {} });
  const { play, figures } = await openPage();

  await play({ url, token, only: 'tcp' });

  const moving = await until('pictures move', async () => {
    const seen = await figures();
    return seen.framesDecoded > 40 && seen.protocol !== '' ? seen : undefined;
  });
  expect(moving.protocol).toBe('tcp');
});

test('a viewer whose offer begins with sound sees the picture too', async () => {
  const { url, token } = await startWatched({ camera: { audio: 'opus' } });
  const { play, figures } = await openPage();

  await play({ url, token, kinds: ['audio', 'video'] });

  await until('pictures move and sound is decoded', async () => {
    const { framesDecoded, audioSamples } = await figures();
    return framesDecoded > 40 && audioSamples > 8_000;
  });
});

test('a session goes on over an ICE restart, and its old entity tag counts no more', async () => {
  const { site, url, token } = await startWatched({ camera: {} });
  const { play, figures, restart } = await openPage();
  const told = await play({ url, token });
  await until('pictures move', async () => (await figures()).framesDecoded > 20);
  const session = `${site.origin}${told.location}`;

  const restarted = await restart({ url: session, token, ifMatch: '*' });
  const before = (await figures()).framesDecoded;
  const again = await restart({ url: session, token, ifMatch: told.etag ?? '' });

  expect(restarted).toMatchObject({ status: 200, text: expect.stringContaining('a=ice-pwd:') });
  expect(restarted.etag).not.toBe(told.etag);
  expect(again.status).toBe(412);
  await until('pictures go on', async () => (await figures()).framesDecoded > before + 40);
});

test('a viewer that leaves, or loses its permission, is sent nothing more', async () => {
  const ends: string[] = [];
  const { site, admin, url, token, tokenId } = await startWatched({
    camera: {},
    events: { onEnded: (kind, end) => ends.push(`${kind} ${end}`) },
  });
  const pages = [await openPage(), await openPage()] as const;
  for (const { play } of pages) await play({ url, token });
  for (const { figures } of pages) await until('pictures move', async () => (await figures()).framesDecoded > 0);

  await pages[0].close();
  await until('the one that left is gone', () => ends.length === 1);
  await admin.delete(`/api/tokens/${tokenId}`);
  await until('the other one is ended', () => ends.length === 2);

  expect(ends).toEqual(['viewer closed', 'viewer denied']);
  expect(site.whep.sessions.count).toBe(0);
});

test('viewers come back after their worker died', async () => {
  const ends: string[] = [];
  const { site, url, token } = await startWatched({
    camera: {},
    events: { onEnded: (kind, end) => ends.push(`${kind} ${end}`) },
  });
  const { play, figures } = await openPage();
  await play({ url, token });
  await until('pictures move', async () => (await figures()).framesDecoded > 0);

  const { pid } = site.plane.place('any') as unknown as { readonly pid: number };
  process.kill(pid, 'SIGKILL');
  await until('the session ended', () => ends.length === 1);
  await until('the viewer is answered again', async () => (await play({ url, token })).status === 201);

  expect(ends[0]).toBe('viewer worker-died');
  await until('pictures move again', async () => (await figures()).framesDecoded > 20);
});
