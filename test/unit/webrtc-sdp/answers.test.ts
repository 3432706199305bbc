import {
  canConsume,
  getConsumableRtpParameters,
  getConsumerRtpParameters,
  getProducerRtpParametersMapping,
} from 'mediasoup/ortc';
import { describe, expect, test } from 'vitest';
import {
  payloadTypesOf,
  producerParameters,
  readOffer,
  receiverCapabilities,
  takenLines,
  whepAnswer,
  whipAnswer,
} from '../../../gateway/webrtc/sdp/index.ts';
import { described, linesOf, own, routerCapabilities, speakingCapabilities } from './own.ts';

/** What the bridge's producer of a stream is. */
const cameraParameters = {
  video: {
    codecs: [
      {
        ...{ mimeType: 'video/H264', payloadType: 96, clockRate: 90_000 },
        parameters: { 'packetization-mode': 1, 'profile-level-id': '42e01f' },
      },
    ],
    ...{ headerExtensions: [], encodings: [{ ssrc: 1 }], rtcp: { cname: 'camera' } },
  },
  audio: {
    codecs: [{ mimeType: 'audio/opus', payloadType: 97, clockRate: 48_000, channels: 2, parameters: {} }],
    ...{ headerExtensions: [], encodings: [{ ssrc: 2 }], rtcp: { cname: 'camera' } },
  },
};

/** As a session answers a viewer, with mediasoup's own arithmetic in the place of its worker. */
function answerViewer(text: string) {
  const offer = readOffer(text);
  const lines = takenLines(offer, (line) => payloadTypesOf(line).size > 0);
  const payloadTypes = Object.fromEntries(lines.flatMap((line) => [...payloadTypesOf(line)]));
  const router = speakingCapabilities(payloadTypes);
  const sends = new Map(
    lines.map((line) => {
      const kind = line.kind ?? 'video';
      const parameters = structuredClone(cameraParameters[kind]);
      const mapping = getProducerRtpParametersMapping(parameters, router);
      const consumable = getConsumableRtpParameters(kind, parameters, router, mapping);
      const remote = receiverCapabilities(line, router);
      expect(canConsume(consumable, structuredClone(remote))).toBe(true);
      const enableRtx = kind === 'video';
      const sent = getConsumerRtpParameters({
        consumableRtpParameters: consumable,
        remoteRtpCapabilities: structuredClone(remote),
        ...{ pipe: false, enableRtx },
      });
      return [line.mid, sent] as const;
    }),
  );
  return { offer, answer: whepAnswer({ ...own, offer, sends, stream: 'yard', sessionId: '42' }) };
}

describe('viewers', () => {
  test.each([
    ['chromium-viewer', ['video', 108, 'audio', 111]],
    ['firefox-viewer', ['audio', 109, 'video', 126]],
    ['safari-viewer', ['video', 98, 'audio', 111]],
    ['gstreamer-viewer', ['video', 96, 'audio', 97]],
  ])('%s is answered under its own payload types, in the order of its lines', (name, expected) => {
    const { answer } = answerViewer(described(name));

    const lines = [...answer.matchAll(/^m=(\w+) 9 UDP\/TLS\/RTP\/SAVPF (\d+)\r$/gm)];
    expect(lines.flatMap(([, kind, payload]) => [kind, Number(payload)])).toEqual(expected);
  });

  test('what mediasoup would write under other numbers than the viewer reads is not agreed on', () => {
    const chromium = answerViewer(described('chromium-viewer')).answer;
    const firefox = answerViewer(described('firefox-viewer')).answer;

    // Chromium has 4 for another extension than mediasoup; Firefox has the same.
    expect(chromium).not.toContain('a=extmap');
    expect(firefox).toContain('a=extmap:4 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time');
    expect(firefox).not.toMatch(/extmap:(?!4 )/);
  });

  test('an answer has all that every line needs: ICE-lite, credentials, fingerprint, setup, rtcp-mux', () => {
    const { answer } = answerViewer(described('chromium-viewer'));

    expect(answer).toContain('a=ice-lite\r\n');
    expect(answer).toContain('a=group:BUNDLE 0 1\r\n');
    for (const index of [0, 1]) {
      expect(linesOf(answer, index)).toEqual(
        expect.arrayContaining([
          'a=ice-ufrag:ourfragment',
          'a=ice-pwd:ourpasswordourpassword',
          `a=fingerprint:sha-256 ${Array(32).fill('CD').join(':')}`,
          ...['a=setup:passive', 'a=rtcp-mux', 'a=sendonly'],
        ]),
      );
    }
  });

  test('candidates are every address by UDP, then by TCP, at the first line alone', () => {
    const { answer } = answerViewer(described('chromium-viewer'));

    const candidates = (index: number) => linesOf(answer, index).filter((line) => line.startsWith('a=candidate'));
    expect(candidates(0).map((line) => line.split(' ').slice(2).join(' '))).toEqual([
      'udp 2124169471 192.0.2.7 8189 typ host',
      'udp 2124169215 2001:db8::7 8189 typ host',
      'tcp 2119049471 192.0.2.7 8189 typ host tcptype passive',
      'tcp 2119049215 2001:db8::7 8189 typ host tcptype passive',
    ]);
    expect(candidates(1)).toEqual([]);
  });

  test('lost packets may be asked for, of the codec that was agreed on', () => {
    const { answer } = answerViewer(described('chromium-viewer'));

    expect(linesOf(answer, 0).filter((line) => line.startsWith('a=rtcp-fb'))).toEqual([
      'a=rtcp-fb:108 nack',
      'a=rtcp-fb:108 nack pli',
      'a=rtcp-fb:108 ccm fir',
    ]);
  });
});

describe('publishers', () => {
  const answerPublisher = (text: string, refusals?: ReadonlyMap<string, string>) => {
    const offer = readOffer(text);
    const lines = takenLines(offer, ({ kind }) => kind !== undefined).filter((line) => payloadTypesOf(line).size > 0);
    const receives = new Map(lines.map((line) => [line.mid, producerParameters(line, routerCapabilities)]));
    return {
      receives,
      answer: whipAnswer({ ...own, offer, receives, sessionId: '42', ...(refusals && { refusals }) }),
    };
  };

  test('Chromium is received as H.264 with retransmissions and Opus; its data channel is rejected', () => {
    const { answer, receives } = answerPublisher(described('chromium-publisher'));

    expect(answer.match(/^m=.*$/gm)).toEqual([
      'm=audio 9 UDP/TLS/RTP/SAVPF 111',
      'm=video 9 UDP/TLS/RTP/SAVPF 108 109',
      'm=application 0 UDP/DTLS/SCTP webrtc-datachannel',
    ]);
    expect(answer).toContain('a=group:BUNDLE 0 1\r\n');
    expect(receives.get('1')).toMatchObject({
      codecs: [{ payloadType: 108 }, { payloadType: 109, parameters: { apt: 108 } }],
      encodings: [{ ssrc: 4171992874, rtx: { ssrc: 3912603022 } }],
      rtcp: { cname: 'MUd6iYXF6S9WqgNQ' },
    });
    expect(linesOf(answer, 1)).toEqual(
      expect.arrayContaining([
        'a=recvonly',
        'a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01',
        'a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid',
        'a=rtcp-fb:108 transport-cc',
        'a=fmtp:109 apt=108',
      ]),
    );
  });

  test('OBS is received, with its stereo', () => {
    const { answer, receives } = answerPublisher(described('obs-publisher'));

    expect(answer).toContain('a=fmtp:111 minptime=10;useinbandfec=1;stereo=1;sprop-stereo=1\r\n');
    expect(receives.get('1')).toMatchObject({ encodings: [{ ssrc: 3110524532 }] });
  });

  test('a line that is not taken says why', () => {
    const noOpus = described('obs-publisher').replaceAll('opus/48000/2', 'L16/44100/2');

    const { answer } = answerPublisher(noOpus, new Map([['0', 'of audio only Opus is recorded']]));

    expect(linesOf(answer, 0)).toEqual([
      'm=audio 0 UDP/TLS/RTP/SAVPF 111',
      'i=refused: of audio only Opus is recorded',
      ...['c=IN IP4 0.0.0.0', 'a=mid:0', 'a=inactive'],
    ]);
    expect(answer).toContain('a=group:BUNDLE 1\r\n');
  });

  test('of several H.264 the one in pieces is taken, whatever its profile', () => {
    const high = described('obs-publisher').replace('profile-level-id=42e01f', 'profile-level-id=640c34');

    const { answer, receives } = answerPublisher(high);

    expect(answer).toContain('a=fmtp:96 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=640c34\r\n');
    expect(receives.get('1')?.codecs[0]?.parameters).toMatchObject({ 'profile-level-id': '42e01f' });
  });

  test('H.264 in whole packets alone is not what is taken', () => {
    const whole = described('obs-publisher').replace('packetization-mode=1', 'packetization-mode=0');

    const { receives } = answerPublisher(whole);

    expect([...receives.keys()]).toEqual(['0']);
  });
});

test('of lines that no bundle joins the first is the only one', () => {
  const offer = readOffer(described('safari-viewer').replace('a=group:BUNDLE 0 1\r\n', ''));

  expect(takenLines(offer, () => true).map(({ mid }) => mid)).toEqual(['0']);
});
