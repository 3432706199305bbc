/** Messages of makers, each as a fixture, and what becomes of them. */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { eventsOf } from '../../../gateway/onvif/events/notifications.ts';
import { readXml } from '../../../gateway/onvif/xml.ts';

const fixtures = join(import.meta.dirname, '..', '..', 'fixtures', 'onvif');

/** Makers and the one event that their message tells: kind, whether it is active. */
const told: Readonly<Record<string, readonly (readonly [string, boolean | undefined])[]>> = {
  'standard-cell-motion': [['motion', true]],
  'standard-line-crossed': [['line', undefined]],
  'standard-digital-input': [['digital-input', true]],
  'standard-scene-change': [['tamper', false]],
  'axis-vmd4': [['motion', true]],
  'axis-vmd3': [['motion', false]],
  'axis-io-port': [['digital-input', true]],
  'axis-tampering': [['tamper', true]],
  'reolink-people': [['motion', true]],
  'tapo-people': [['motion', true]],
  'hikvision-field': [['motion', true]],
  'dahua-line': [['line', true]],
  'item-without-prefix-and-zone': [['motion', true]],
  'counting-is-no-state': [],
};

function eventsIn(maker: string) {
  return eventsOf(readXml(readFileSync(join(fixtures, maker, 'pull.xml'), 'utf8')));
}

describe('a message of', () => {
  it.each(Object.entries(told))('%s is understood', (maker, expected) => {
    expect(eventsIn(maker).map(({ kind, isActive }) => [kind, isActive])).toEqual(expected);
  });

  it('every maker that has a fixture is in this list', () => {
    const folders = readdirSync(fixtures, { withFileTypes: true }).filter((entry) => entry.isDirectory());

    expect(folders.map(({ name }) => name).sort()).toEqual(Object.keys(told).sort());
  });
});

describe('two messages', () => {
  it('about one thing have one key, about two rules two', () => {
    const [motion] = eventsIn('standard-cell-motion');
    const text = readFileSync(join(fixtures, 'standard-cell-motion', 'pull.xml'), 'utf8');
    const [off] = eventsOf(readXml(text.replace('Value="true"', 'Value="false"')));
    const [other] = eventsOf(readXml(text.replace('MyMotionDetectorRule', 'Other')));

    expect(off?.key).toBe(motion?.key);
    expect(off?.isActive).toBe(false);
    expect(other?.key).not.toBe(motion?.key);
  });
});

it('a state that is a word of JavaScript is none', () => {
  const text = readFileSync(join(fixtures, 'standard-cell-motion', 'pull.xml'), 'utf8');

  const [odd] = eventsOf(readXml(text.replace('Value="true"', 'Value="constructor"')));

  expect(odd?.isActive).toBeUndefined();
});

it('the time of a message without a zone is UTC', () => {
  expect(eventsIn('item-without-prefix-and-zone')[0]?.deviceMs).toBe(Date.UTC(2024, 4, 6, 7, 8, 9));
});
