import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  candidateLines,
  type OfferedMedia,
  producerParameters,
  readAnswer,
  readFragment,
  readOffer,
  receiverCapabilities,
  sdpLimits,
  storageOffer,
  takenLines,
  whipAnswer,
  writeFragment,
} from '../../../gateway/webrtc/sdp/index.ts';
import { isAppError } from '../../../storage/base/errors.ts';
import { described, linesOf, own, routerCapabilities } from './own.ts';

const names = [
  'chromium-viewer',
  'chromium-publisher',
  'firefox-viewer',
  'safari-viewer',
  'gstreamer-viewer',
  'obs-publisher',
];

test('credentials, fingerprint and role stand where peers put them: at the session or at the line', () => {
  const firefox = readOffer(described('firefox-viewer'));
  const answer = readAnswer(described('kvs-c-master-answer'), [
    { mid: '0', kind: 'audio' },
    { mid: '1', kind: 'video' },
  ]);

  expect(firefox.ice).toEqual({ usernameFragment: '83c1a8e5', password: '6e22c9dd4af90f4f9ca0b4dd3f8f06b2' });
  expect(firefox.dtls).toMatchObject({ role: 'client', fingerprints: [{ algorithm: 'sha-256' }] });
  expect(answer.dtls.role).toBe('client');
});

test('a line with port 0 that is bundle-only is there', () => {
  const { media } = readOffer(described('gstreamer-viewer'));

  expect(media.map(({ isRejected }) => isRejected)).toEqual([false, false]);
  expect(media[1]?.codecs[0]).toMatchObject({ mimeType: 'audio/OPUS', preferredPayloadType: 97, channels: 2 });
});

describe('what is no description says what is wrong with it', () => {
  const offer = described('obs-publisher');
  test.each([
    ['', 'v=0'],
    ['hello', 'v=0'],
    ['v=0\r\n', 'no m-line'],
    [offer.replaceAll(/a=fingerprint:.*/g, ''), 'fingerprint'],
    [offer.replaceAll(/a=ice-pwd:.*/g, 'a=ice-pwd:short'), 'ice-pwd'],
    [offer.replaceAll('a=setup:actpass', 'a=setup:holdconn'), 'setup'],
    [offer.replace('a=mid:1', 'a=mid:0'), 'two m-lines'],
    [offer.replace('a=mid:1', ''), 'a=mid'],
    [offer.replace('t=0 0', 't=0 0\r\na=ice-lite'), 'ICE-lite'],
    [offer.replaceAll('UDP/TLS/RTP/SAVPF', 'RTP/AVP'), 'neither sound nor picture'],
    [`${offer}${'m=audio 9 RTP/AVP 0\r\n'.repeat(20)}`, 'm-lines'],
    [`${offer}${'a=x\r\n'.repeat(3_000)}`, 'lines'],
    [offer.replace('m=audio', `a=${'x'.repeat(5_000)}\r\nm=audio`), 'characters'],
    ['v=0\r\n'.padEnd(sdpLimits.charactersMax + 1), 'characters'],
  ])('%#', (text, word) => {
    expect(() => readOffer(text)).toThrow(expect.objectContaining({ code: 'invalid_argument' }));
    expect(() => readOffer(text)).toThrow(word);
  });
});

test('an answer to another offer is none', () => {
  const offered = [{ mid: '0', kind: 'video' }] as const;

  expect(() => readAnswer(described('kvs-c-master-answer'), offered)).toThrow('m-lines');
});

describe('storage sessions', () => {
  const media: OfferedMedia[] = [
    { mid: '0', kind: 'audio', direction: 'sendrecv', capabilities: routerCapabilities },
    { mid: '1', kind: 'video', direction: 'recvonly', capabilities: routerCapabilities },
  ];

  test('(102) we offer both lines with port 9, bundled, of H.264 and Opus alone', () => {
    const offer = storageOffer({ ...own, media, sessionId: '7', sessionVersion: 1, areCandidatesInside: false });

    expect(offer.match(/^m=.*$/gm)).toEqual(['m=audio 9 UDP/TLS/RTP/SAVPF 100', 'm=video 9 UDP/TLS/RTP/SAVPF 101 102']);
    expect(offer.match(/^a=(?:group|setup|sendrecv|recvonly|candidate).*$/gm)).toEqual([
      'a=group:BUNDLE 0 1',
      ...['a=setup:actpass', 'a=sendrecv', 'a=setup:actpass', 'a=recvonly'],
    ]);
    expect(linesOf(offer, 1)).toContain(
      'a=fmtp:101 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f',
    );
    // Base64 of it is to fit into a message.
    expect(offer.length).toBeLessThan(7_000);
  });

  test('candidates are in the offer, or told one by one', () => {
    const offer = storageOffer({ ...own, media, sessionId: '7', sessionVersion: 1, areCandidatesInside: true });

    const inside = offer.match(/^a=candidate.*$/gm)?.map((line) => line.slice(2));
    expect(inside).toEqual(candidateLines(own));
  });

  test('the answer of the KVS SDK in C is received', () => {
    const answer = readAnswer(described('kvs-c-master-answer'), media);

    const [audio, video] = answer.media.map((line) => producerParameters(line, routerCapabilities));
    expect(audio).toMatchObject({ codecs: [{ payloadType: 100 }], encodings: [{ ssrc: 1431655765 }] });
    expect(video).toMatchObject({ codecs: [{ payloadType: 101 }], encodings: [{ ssrc: 2863311530 }] });
  });

  test('(104) an answer without H.264 says so', () => {
    const vp8 = described('kvs-c-master-answer').replace('H264/90000', 'VP8/90000');
    const { media: lines } = readAnswer(vp8, media);

    const video = lines.find(({ kind }) => kind === 'video');
    expect(() => video && producerParameters(video, routerCapabilities)).toThrow('H.264');
  });
});

describe('fragments', () => {
  const trickled = [
    'a=ice-ufrag:EsAw',
    'a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1',
    'm=audio 9 RTP/AVP 0',
    'a=mid:0',
    'a=candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host generation 0 ufrag EsAw network-id 1',
    'a=candidate:3471623853 1 udp 2122194687 a7c1e2f0-41f1-4a4a-b2c6-4f1d2c6e9f2b.local 61765 typ host',
    'a=end-of-candidates',
  ];

  test('candidates are counted, and whose they are is known', () => {
    expect(readFragment(trickled.join('\r\n'))).toEqual({
      ice: { usernameFragment: 'EsAw', password: 'P2uYro0UCOQ4zxjKXaWCBui1' },
      candidates: 2,
    });
  });

  test.each([
    [''],
    ['hello'],
    ['a=candidate:1 1 udp'],
    ['a=ice-ufrag:<'],
    ['a=candidate:1 1 udp 1 x 1 typ host\r\n'.repeat(300)],
  ])('what is none is refused: %j', (text) => {
    expect(() => readFragment(text)).toThrow(expect.objectContaining({ code: 'invalid_argument' }));
  });

  test('what a restart is answered with is one', () => {
    const text = writeFragment(own, readOffer(described('chromium-viewer')).media.slice(0, 2));

    expect(readFragment(text)).toEqual({
      ice: { usernameFragment: 'ourfragment', password: 'ourpasswordourpassword' },
      candidates: 4,
    });
  });
});

describe('fuzz', () => {
  /** Descriptions of real peers with lines left out, doubled, moved, cut and filled with anything. */
  const spoiled = fc
    .tuple(
      fc.constantFrom(...names.map(described)),
      fc.array(
        fc.tuple(
          fc.constantFrom('drop', 'double', 'move', 'cut', 'junk', 'number', 'attribute'),
          fc.nat(),
          fc.nat(),
          fc.string({ unit: 'binary', maxLength: 40 }),
        ),
        { maxLength: 12 },
      ),
    )
    .map(([text, changes]) => {
      const lines = text.split('\r\n');
      for (const [how, first, second, junk] of changes) {
        const at = first % lines.length;
        const line = lines[at] ?? '';
        const to = second % lines.length;
        if (how === 'drop') lines.splice(at, 1);
        else if (how === 'double') lines.splice(to, 0, line);
        else if (how === 'move') lines.splice(to, 0, ...lines.splice(at, 1));
        else if (how === 'cut') lines[at] = line.slice(0, second % (line.length + 1));
        else if (how === 'junk') lines[at] = `${line.slice(0, second % (line.length + 1))}${junk}`;
        else if (how === 'number') lines[at] = line.replace(/\d+/, String(second - 2 ** 30) + junk.length);
        else lines.splice(at, 0, `a=${junk}`);
      }
      return lines.join('\r\n');
    });

  test('no offer throws anything but invalid_argument, nor does what is made of it', () => {
    fc.assert(
      fc.property(
        fc.oneof({ weight: 5, arbitrary: spoiled }, fc.string({ unit: 'binary', maxLength: 2_000 })),
        (text) => {
          try {
            const offer = readOffer(text);
            const receives = new Map(
              takenLines(offer, ({ kind }) => kind !== undefined).flatMap((line) => {
                receiverCapabilities(line, routerCapabilities);
                try {
                  return [[line.mid, producerParameters(line, routerCapabilities)] as const];
                } catch (error) {
                  if (!isAppError(error, 'invalid_argument')) throw error;
                  return [];
                }
              }),
            );
            const answer = whipAnswer({ ...own, offer, receives, sessionId: '1' });
            expect(answer.length).toBeLessThan(2 * sdpLimits.charactersMax);
          } catch (error) {
            if (!isAppError(error, 'invalid_argument')) throw error;
          }
        },
      ),
      { numRuns: 600 },
    );
  });

  test('no fragment throws anything but invalid_argument', () => {
    const line = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 100 }),
      fc.string({ maxLength: 60 }).map((text) => `a=candidate:1 1 udp 1 ${text}`),
      fc.string({ maxLength: 40 }).map((text) => `a=ice-ufrag:${text}`),
    );
    fc.assert(
      fc.property(fc.array(line, { maxLength: 30 }), (lines) => {
        try {
          readFragment(lines.join('\r\n'));
        } catch (error) {
          if (!isAppError(error, 'invalid_argument')) throw error;
        }
      }),
      { numRuns: 300 },
    );
  });

  test('what is as large as it may be of one kind of line is refused too', () => {
    const most = (line: string) => `v=0\r\n${`${line}\r\n`.repeat(1_990)}`.slice(0, sdpLimits.charactersMax);
    for (const line of [
      'a=rtpmap:96 H264/90000',
      'a=rtcp-fb:* nack pli',
      'a=ssrc:1 cname:x',
      'a=group:BUNDLE 0',
      `a=fmtp:96 ${';a=b'.repeat(400)}`,
    ]) {
      expect(() => readOffer(`${most(line).slice(0, -200)}\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\n`)).toThrow();
    }
  });
});
