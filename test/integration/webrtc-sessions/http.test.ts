import { once } from 'node:events';
import { request } from 'node:https';
import { expect, test } from 'vitest';
import { appError } from '../../../storage/base/errors.ts';
import { described } from '../../unit/webrtc-sdp/own.ts';
import { startLiveSite } from './kit.ts';

const sdp = { 'content-type': 'application/sdp' };
const fragment = { 'content-type': 'application/trickle-ice-sdpfrag' };

/** A site with a camera that a publisher sends to: it needs no real one. */
async function startAsked(options: Parameters<typeof startLiveSite>[0] = {}) {
  const site = await startLiveSite(options);
  const admin = await site.admin();
  const { json } = await admin.post('/api/cameras', { name: 'Phone 1', source: { kind: 'whip' } });
  const streamKey = json.streamKeys.main as string;
  const ask = async (method: string, path: string, headers: Record<string, string> = {}, body?: string) => {
    const token = headers.authorization ?? `Bearer ${streamKey}`;
    const answer = await fetchAs(site, method, path, { ...headers, authorization: token }, body);
    return { ...answer, error: answer.text.startsWith('{') ? JSON.parse(answer.text).error : undefined };
  };
  return { site, admin, streamKey, ask };
}

async function fetchAs(
  { port, ca }: { readonly port: number; readonly ca: string },
  method: string,
  path: string,
  headers: Record<string, string>,
  body: string | undefined,
) {
  return new Promise<{ status: number; headers: NodeJS.Dict<string | string[]>; text: string }>((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port, ca, method, path, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (piece: string) => {
        text += piece;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }));
    });
    asked.once('error', reject);
    asked.end(body);
  });
}

test('an offer is answered as RFC 9725 has it: 201, Location, ETag, TURN servers, what may be patched', async () => {
  const turn = { uris: ['turn:turn.example.org:3478?transport=udp'], ttlS: 300, secret: 'shared' };
  const { ask } = await startAsked({ turn });

  const answer = await ask('POST', '/whip/phone%201', sdp, described('obs-publisher'));

  expect(answer).toMatchObject({
    status: 201,
    headers: {
      'content-type': 'application/sdp',
      location: expect.stringMatching(/^\/whip\/phone%201\/[\w-]{24}$/),
      etag: expect.stringMatching(/^"[\w-]{12}"$/),
      'accept-patch': 'application/trickle-ice-sdpfrag',
      'access-control-allow-origin': '*',
    },
  });
  expect(answer.headers.link).toMatch(
    /^<turn:turn\.example\.org:3478\?transport=udp>; rel="ice-server"; username="\d+:\w+"; credential="[\w+/=]+"; credential-type="password"$/,
  );
});

test('candidates are trickled under the session’s entity tag; without one, or with an old one, they are not', async () => {
  const { ask } = await startAsked();
  const { headers } = await ask('POST', '/whip/Phone%201', sdp, described('obs-publisher'));
  const path = String(headers.location);
  const tag = String(headers.etag);
  const candidate =
    'a=ice-ufrag:Jd8K\r\na=ice-pwd:RIHVxVuVqWnJyLhEN4WMlQ\r\nm=audio 9 RTP/AVP 0\r\na=mid:0\r\na=candidate:1 1 udp 1 192.0.2.1 5000 typ host\r\n';
  const patch = async (more: Record<string, string>, body = candidate) =>
    (await ask('PATCH', path, { ...fragment, ...more }, body)).status;

  expect(await patch({ 'if-match': tag })).toBe(204);
  expect(await patch({})).toBe(428);
  expect(await patch({ 'if-match': '"old"' })).toBe(412);
  expect(await patch({ 'if-match': `W/${tag}` })).toBe(412);
  expect(await patch({ 'if-match': tag, 'content-type': 'application/sdp' })).toBe(415);
  expect(await patch({ 'if-match': tag }, 'hello')).toBe(400);
});

test('a restart makes new credentials and a new entity tag, under which candidates come from then on', async () => {
  const { ask } = await startAsked();
  const { headers, text } = await ask('POST', '/whip/Phone%201', sdp, described('obs-publisher'));
  const path = String(headers.location);
  const restart = 'a=ice-ufrag:anew\r\na=ice-pwd:RIHVxVuVqWnJyLhEN4WMlZ\r\nm=audio 9 RTP/AVP 0\r\na=mid:0\r\n';

  const restarted = await ask('PATCH', path, { ...fragment, 'if-match': '*' }, restart);

  const ufrag = (of: string) => /a=ice-ufrag:(.*)/.exec(of)?.[1];
  expect(restarted).toMatchObject({ status: 200, headers: { 'content-type': 'application/trickle-ice-sdpfrag' } });
  expect(ufrag(restarted.text)).not.toBe(ufrag(text));
  expect(restarted.headers.etag).not.toBe(headers.etag);
  const trickle = async (tag: unknown) =>
    (await ask('PATCH', path, { ...fragment, 'if-match': String(tag) }, restart)).status;
  expect(await trickle(headers.etag)).toBe(412);
  expect(await trickle(restarted.headers.etag)).toBe(204);
});

test('a session is over when it is deleted, and is nobody else’s to delete', async () => {
  const { site, admin, ask } = await startAsked();
  const { headers } = await ask('POST', '/whip/Phone%201', sdp, described('obs-publisher'));
  const path = String(headers.location);

  expect((await admin.delete(path)).status).toBe(404);
  expect((await ask('GET', path)).status).toBe(405);
  expect((await ask('POST', path, sdp, described('obs-publisher'))).status).toBe(405);
  expect((await ask('DELETE', path)).status).toBe(200);
  expect(site.whip.sessions.count).toBe(0);
  expect((await ask('DELETE', path)).status).toBe(403);
});

test('what is not an offer, or not for us, is refused with the status that says so', async () => {
  const { admin, ask } = await startAsked();
  const offer = described('obs-publisher');
  const post = async (headers: Record<string, string>, body = offer, path = '/whip/Phone%201') =>
    (await ask('POST', path, headers, body)).status;

  expect(await post({ 'content-type': 'application/json' })).toBe(415);
  expect(await post({ ...sdp, accept: 'text/html' })).toBe(406);
  expect(await post(sdp, 'hello')).toBe(400);
  expect(await post(sdp, offer.replace('H264', 'VP8'))).toBe(422);
  expect(await post(sdp, 'v=0\r\n'.padEnd(70_000, 'x'))).toBe(413);
  expect((await ask('GET', '/whip/Phone%201')).headers.allow).toBe('POST, OPTIONS');
  const token = (await admin.post('/api/tokens', { name: 't', role: 'operator', policies: [] })).json.secret;
  expect(await post({ ...sdp, authorization: `Bearer ${token}` }, offer, '/whip/nothing')).toBe(404);
});

test('a camera that takes no publisher is no precondition of the request: 422, by which clients stop asking', async () => {
  const receive = async () => {
    throw appError('failed_precondition', 'the camera takes no WHIP publisher');
  };
  const { ask } = await startAsked({ receiver: { receive } });

  const refused = await ask('POST', '/whip/Phone%201', sdp, described('obs-publisher'));

  expect(refused).toMatchObject({ status: 422, error: { code: 'failed_precondition' } });
  expect(refused.error.message).toContain('takes no WHIP publisher');
});

test('a stream key opens its own stream for publishing, and nothing else', async () => {
  const { admin, ask } = await startAsked();
  await admin.post('/api/cameras', { name: 'Other', source: { kind: 'whip' } });

  expect((await ask('POST', '/whip/Other', sdp, described('obs-publisher'))).status).toBe(403);
  expect((await ask('POST', '/whep/Phone%201', sdp, described('chromium-viewer'))).status).toBe(401);
  expect((await ask('GET', '/api/cameras')).status).toBe(401);
});

test('who may only view does not publish, and a browser elsewhere needs a token', async () => {
  const { site, admin, ask } = await startAsked();
  const token = (await admin.post('/api/tokens', { name: 't', role: 'viewer', policies: [] })).json.secret;
  const offer = described('obs-publisher');

  expect((await ask('POST', '/whip/Phone%201', { ...sdp, authorization: `Bearer ${token}` }, offer)).status).toBe(403);
  const preflight = await fetchAs(
    site,
    'OPTIONS',
    '/whep/Phone%201',
    { origin: 'https://elsewhere.example' },
    undefined,
  );
  expect(preflight).toMatchObject({
    status: 204,
    headers: {
      'access-control-allow-origin': '*',
      'access-control-allow-headers': expect.stringContaining('authorization'),
      'accept-post': 'application/sdp',
    },
  });
  expect(preflight.headers['access-control-allow-credentials']).toBeUndefined();
  const cookie = { cookie: admin.cookie ?? '', origin: 'https://elsewhere.example', ...sdp };
  expect((await fetchAs(site, 'POST', '/whep/Phone%201', cookie, described('chromium-viewer'))).status).toBe(403);
});

test('an offer that comes slowly is answered by what its sender may when it is there', async () => {
  const { site, admin } = await startAsked();
  const { secret, token } = (await admin.post('/api/tokens', { name: 't', role: 'operator', policies: [] })).json;
  const headers = { ...sdp, authorization: `Bearer ${secret}`, expect: '100-continue' };
  const asked = request({
    host: '127.0.0.1',
    port: site.port,
    ca: site.ca,
    method: 'POST',
    path: '/whip/Phone%201',
    headers,
  });
  asked.flushHeaders();
  await once(asked, 'continue');

  expect((await admin.delete(`/api/tokens/${token.id}`)).status).toBe(204);
  asked.end(described('obs-publisher'));
  const [response] = await once(asked, 'response');

  expect(response.statusCode).toBe(401);
  expect(site.whip.sessions.count).toBe(0);
});

test('while there is no worker an offer is told why, and when to ask again', async () => {
  const { ask } = await startAsked({ isWorkerAway: true });

  const answer = await ask('POST', '/whip/Phone%201', sdp, described('obs-publisher'));

  expect(answer).toMatchObject({
    status: 503,
    headers: { 'retry-after': '5' },
    error: { code: 'unavailable', message: 'the WebRTC worker is being built, 120 of 263 steps' },
  });
});

test('a camera that is not live is 409, so that players ask again', async () => {
  const { admin, site } = await startAsked();
  const token = (await admin.post('/api/tokens', { name: 't', role: 'viewer', policies: [] })).json.secret;

  const headers = { ...sdp, authorization: `Bearer ${token}` };
  const answer = await fetchAs(site, 'POST', '/whep/Phone%201', headers, described('chromium-viewer'));

  expect([answer.status, answer.text]).toEqual([409, expect.stringContaining('unavailable')]);
  expect(answer.headers['retry-after']).toBe('5');
});
