import fc from 'fast-check';
import { expect, test } from 'vitest';
import { encodingsOf, Scrubber } from '../../../appliance/support/index.ts';

const around = fc.string({ maxLength: 20 });
const encoders: readonly ((text: string) => string)[] = [
  (text) => text,
  (text) => JSON.stringify(text),
  encodeURIComponent,
  (text) => new URLSearchParams({ text }).toString(),
  (text) => Buffer.from(text).toString('base64'),
  (text) => Buffer.from(text).toString('base64url'),
  (text) => Buffer.from(text).toString('hex'),
];

test('a known secret is taken out in whatever encoding, whatever stands around it inside', () => {
  fc.assert(
    fc.property(
      fc.string({ minLength: 8, maxLength: 40 }),
      around,
      around,
      fc.constantFrom(...encoders),
      (secret, before, after, encode) => {
        const told = encode(before + secret + after);

        const clean = new Scrubber({ secrets: [secret], hosts: undefined }).scrub(`x ${told} y`);

        for (const form of encodingsOf(secret)) expect(clean).not.toContain(form);
      },
    ),
  );
});

test('what has the form of a secret goes although nobody knew it', () => {
  const scrubber = new Scrubber({ secrets: [], hosts: undefined });
  const forms = [
    `weir_${'aB3-'.repeat(11)}`,
    `whsec_${Buffer.alloc(32, 7).toString('base64')}`,
    'abcdefghijklmnopqrstuvwxyz234567',
    `v1.0123abcd.${'Ab_-'.repeat(12)}`,
    '-----BEGIN PRIVATE KEY-----\nMIIabc\n-----END PRIVATE KEY-----',
    'Basic dmlld2VyOnBhc3N3b3Jk',
    `SessionToken=${'aB3-'.repeat(60)}`,
    'X-Amz-Security-Token=v1.0123abcd.AbcdAbcdAbcdAbcdAbcdAbcdAbcdAbcd%3D',
    `X-Amz-Signature=${'0a'.repeat(32)}`,
    `Signature=${'0a'.repeat(32)}`,
  ];

  for (const form of forms) expect([form, scrubber.scrub(`begin ${form} end`)]).toEqual([form, 'begin (secret) end']);
});

test('metrics, ids and times are no secrets', () => {
  const scrubber = new Scrubber({ secrets: [], hosts: [] });
  const text =
    'weir_alarm_deliveries_waiting_total{camera="k3x9abcdef"} 7 at 2026-06-01T12:30:45.123Z, 12:30:45, v24.1.0, ::1, 127.0.0.1';

  expect(scrubber.scrub(text)).toBe(text);
});

test('hosts are masked by the same word everywhere, and no more of a word than the host', () => {
  const scrubber = new Scrubber({ secrets: [], hosts: ['cam.example.org', 'nas'] });

  const first = scrubber.scrub('rtsp://cam.example.org:554/x from 10.1.2.3 by nas and nasty, fe80::1:2');
  const second = scrubber.scrub('10.1.2.3 CAM.example.org');

  expect(first).toBe('rtsp://host-1:554/x from host-3 by host-2 and nasty, host-4');
  expect(second).toBe('host-3 host-1');
});
