/** What a site file changes, without a catalog: which thing is which, and what is left alone. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { siteDocument } from '../../../appliance/admin/site/document.ts';
import { exportSite } from '../../../appliance/admin/site/export.ts';
import { type Declared, type Existing, type MatchOptions, matched } from '../../../appliance/admin/site/match.ts';
import { hasChanges, type PlanTools, planItems, type SiteState } from '../../../appliance/admin/site/plan.ts';
import { planSite } from '../../../appliance/admin/site/planner.ts';
import { opener } from '../../../appliance/admin/site/secrets.ts';
import { isAppError } from '../../../storage/base/errors.ts';
import type { Camera, ManagedMark } from '../../../storage/catalog/index.ts';
import { cameraSettings, cameraSource } from '../catalog/kit.ts';

/** Seals so that it can be read: the planner cannot tell. */
const box = { seal: (text: string) => `sealed ${text}`, unseal: (sealed: string) => sealed.replace(/^sealed /, '') };
const tools: PlanTools = {
  secrets: box,
  newStreamKey: () => ({ streamKey: 'new', keySha256: 'f'.repeat(64) }),
  openCamera: opener([box]),
  openWebhook: opener([box]),
  unsealWebhook: box.unseal,
};
const empty: SiteState = {
  ...{ cameras: [], policies: [], users: [], webhooks: [], marks: [], heartbeat: undefined },
  builtInPolicies: ['admin', 'viewer'],
  alarms: { gapMinutesPerDay: 10, webhookAddresses: 'site' },
};
const careful = { isPruning: false, isTakingOver: false };

function plan(state: SiteState, file: object, options = careful) {
  return planSite(state, siteDocument.parse({ version: 1, site: 'harbour', ...file }), tools, options);
}

function camera(id: string, name: string, change: Partial<Camera> = {}): Camera {
  return {
    ...cameraSettings({ name, credentials: { username: 'sealed ada', password: 'sealed pw' } }),
    ...{ id, revision: 1, createdMs: 1, updatedMs: 1 },
    streams: [{ id: `s${id}`, name, role: 'main', cameraId: id, createdMs: 1, removedMs: undefined }],
    ...change,
  };
}

const mark = (itemId: string, key: string, site = 'harbour'): ManagedMark => ({ kind: 'camera', itemId, key, site });

describe('the fields that change', () => {
  const before = { ...empty, cameras: [camera('a', 'gate')], marks: [mark('a', 'gate')] };
  const same = {
    source: { url: 'rtsp://192.0.2.10/main' },
    credentials: { username: 'ada', password: { sealed: 'sealed pw' } },
  };
  const changedBy = (change: object) =>
    planItems(plan(before, { cameras: { gate: { ...same, ...change } } })).flatMap(({ changed }) => changed);

  test.each<[string, object, string[]]>([
    ['nothing', {}, []],
    ['what is a default said', { isEnabled: true, onvif: null, recording: { mode: 'continuous' } }, []],
    ['the address', { source: { url: 'rtsp://192.0.2.10/other' } }, ['url']],
    ['another host, with its credentials said again', { source: { url: 'rtsp://192.0.2.11/main' } }, ['url']],
    ['the password', { credentials: { username: 'ada', password: { plain: 'new' } } }, ['credentials']],
    ['no credentials any more', { credentials: null }, ['credentials']],
    [
      'an ONVIF service with its own user',
      { onvif: { url: 'http://h/', credentials: { username: 'x', password: { plain: 'y' } } } },
      ['onvif.url', 'onvif.tls', 'onvif.credentials'],
    ],
    ['a sub source', { sub: { source: { url: 'rtsp://192.0.2.10/sub' } } }, ['sub']],
    ['the mode and how long', { recording: { mode: 'events', retentionHours: 24 } }, ['mode', 'retentionHours']],
    [
      'publishing instead',
      { source: { kind: 'rtmp' }, credentials: null },
      ['credentials', 'kind', 'url', 'transport', 'tls', 'keySha256'],
    ],
  ])('%s', (_what, change, changed) => {
    expect(changedBy(change)).toEqual(changed);
  });
});

test.each(['rtmp', 'whip'] as const)(
  'a publisher (%s) keeps its key unless the file names another one by its hash',
  (kind) => {
    const source = { kind, keySha256: 'a'.repeat(64) };
    const drone = camera('a', 'drone', {
      credentials: undefined,
      sources: { main: cameraSource({ source }), sub: undefined },
    });
    const before = { ...empty, cameras: [drone], marks: [mark('a', 'drone')] };
    const planned = (own: object) => plan(before, { cameras: { drone: { source: { kind, ...own } } } }).cameras;

    expect(planned({})).toEqual([]);
    expect(planned({ keySha256: 'a'.repeat(64) })).toEqual([]);
    expect(planned({ keySha256: 'b'.repeat(64) })).toMatchObject([{ changed: ['keySha256'], streamKeys: {} }]);
    expect(() =>
      plan(before, {
        cameras: {
          drone: { source: { kind } },
          other: { source: { kind: 'rtmp', keySha256: 'a'.repeat(64) } },
        },
      }),
    ).toThrow(/stream key is also that of/);
  },
);

test('a setting that the file gives up is as it is by default again, one that it never had stays', () => {
  const marks: ManagedMark[] = [{ kind: 'setting', itemId: 'alarms', key: 'alarms', site: 'harbour' }];

  expect(plan({ ...empty, marks }, {}).settings).toMatchObject([{ action: 'remove', name: 'alarms' }]);
  expect(plan(empty, {}).settings).toEqual([]);
});

test('an export of any site has nothing to do there', () => {
  const name = fc.stringMatching(/^[a-zA-Z0-9 .'-]{1,20}$/).filter((text) => text.trim() === text && text !== '');
  const one = fc.record({
    name,
    url: fc.constantFrom('rtsp://192.0.2.1/a', 'rtsps://192.0.2.1/a', 'rtsp://192.0.2.1/user=x&password=y'),
    transport: fc.constantFrom('tcp' as const, 'udp' as const),
    tls: fc.constantFrom('verify' as const, 'any' as const),
    mode: fc.constantFrom('continuous' as const, 'events' as const, 'live' as const),
    hours: fc.integer({ min: 1, max: 1_000 }),
    hasLogin: fc.boolean(),
    hasSub: fc.boolean(),
    hasOnvif: fc.boolean(),
    isEnabled: fc.boolean(),
    bytesMax: fc.option(fc.integer({ min: 0 }), { nil: undefined }),
    site: fc.constantFrom(undefined, 'harbour', 'north'),
  });
  const sites = fc.uniqueArray(one, { maxLength: 8, selector: (each) => each.name.toLowerCase() });
  fc.assert(
    fc.property(sites, (all) => {
      const cameras = all.map((each, i): Camera => {
        const recording = { ...cameraSource().recording, mode: each.mode, retentionHours: each.hours };
        const source = { kind: 'rtsp', url: each.url, transport: each.transport, tls: each.tls } as const;
        const credentials = each.hasLogin ? { username: 'sealed u', password: 'sealed p' } : undefined;
        const sub = each.hasSub ? cameraSource({ source, recording }) : undefined;
        const onvif = { url: 'http://192.0.2.1/onvif/device_service', tls: each.tls, credentials: undefined };
        return camera(String.fromCharCode(97 + i), each.name, {
          ...{ credentials, bytesMax: each.bytesMax, isEnabled: each.isEnabled },
          sources: { main: cameraSource({ source, recording }), sub },
          onvif: each.hasOnvif ? onvif : undefined,
        });
      });
      const marks = all.flatMap((each, i) =>
        each.site === undefined ? [] : [mark(String.fromCharCode(97 + i), `key ${i}`, each.site)],
      );
      const state = { ...empty, cameras, marks };

      const exported = exportSite(state, { site: 'harbour', seal: box.seal });
      const again = planSite(state, siteDocument.parse(exported), tools, careful);

      expect(hasChanges(again)).toBe(false);
    }),
  );
});

test('whatever a file says, it is planned or refused in words, and what is of others is never removed', () => {
  const word = fc.constantFrom('gate', 'yard', 'Gate', 'x.y', '__proto__', 'constructor', 'Ünï', '');
  const value = fc.oneof(
    fc.constantFrom({ source: { url: 'rtsp://h/' } }, { source: { kind: 'rtmp' } }, null, {}, [], 'x', 7),
    fc.anything(),
  );
  const file = fc.record(
    { cameras: fc.dictionary(word, value), users: fc.dictionary(word, value), policies: fc.dictionary(word, value) },
    { requiredKeys: [] },
  );
  const state = {
    ...empty,
    cameras: [camera('a', 'gate'), camera('b', 'yard'), camera('c', 'third')],
    marks: [mark('a', 'gate'), mark('b', 'yard', 'north')],
  };
  fc.assert(
    fc.property(file, (content) => {
      const parsed = siteDocument.safeParse({ version: 1, site: 'harbour', ...content });
      if (!parsed.success) return;
      try {
        const steps = planSite(state, parsed.data, tools, careful).cameras;
        const removed = steps.filter(({ action }) => action === 'remove').map(({ id }) => id);
        expect(removed.filter((id) => id !== 'a')).toEqual([]);
      } catch (error) {
        if (!isAppError(error) || error.code === 'internal') throw error;
      }
    }),
    { numRuns: 1_000 },
  );
});

describe('which thing is which', () => {
  const item = (id: string, name = id): Existing => ({ id, name });
  const wanted = (key: string, name = key): Declared<null> => ({ key, name, wanted: null });
  const options = (marks: ManagedMark[], change: Partial<MatchOptions> = {}): MatchOptions => ({
    ...{ kind: 'camera', site: 'harbour', marks, isPruning: false, isTakingOver: false },
    ...change,
  });
  const pairs = (...args: Parameters<typeof matched<null, Existing>>) => {
    const { matches, left } = matched(...args);
    return {
      matches: matches.map(({ declared, item: found }) => `${declared.key}=${found?.id ?? 'new'}`),
      left: left.map(({ item: gone }) => gone.id),
    };
  };

  test('the key counts, then the name', () => {
    const items = [item('a', 'gate'), item('b', 'yard'), item('c', 'hall')];
    const marks = [mark('a', 'gate'), mark('b', 'yard')];

    expect(
      pairs([wanted('gate', 'new name'), wanted('new key', 'YARD'), wanted('hall')], items, options(marks)),
    ).toEqual({
      matches: ['gate=a', 'new key=b', 'hall=c'],
      left: [],
    });
  });

  test('key and name both new are another thing, and the old one goes', () => {
    expect(pairs([wanted('x')], [item('a', 'gate')], options([mark('a', 'gate')]))).toEqual({
      matches: ['x=new'],
      left: ['a'],
    });
  });

  test('what nobody marked and what others marked stays', () => {
    const items = [item('hand'), item('north'), item('ours')];
    const marks = [mark('north', 'north', 'north'), mark('ours', 'ours')];

    expect(pairs([], items, options(marks)).left).toEqual(['ours']);
    expect(pairs([], items, options(marks, { isPruning: true })).left).toEqual(['hand', 'ours']);
  });

  test('a name that something else keeps cannot be taken', () => {
    const items = [item('a', 'gate'), item('b', 'yard')];

    expect(() => pairs([wanted('gate', 'yard')], items, options([mark('a', 'gate')]))).toThrow('does not manage it');
  });
});
