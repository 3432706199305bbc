/** What the page tells clients of the KVS API, and which policies it offers them. */

import { expect, test } from 'vitest';
import { kvsSiteOf } from '../../../appliance/page/src/clients/kvs-site.ts';
import { clientLines, clients, deviceLines } from '../../../appliance/page/src/clients/lines.ts';
import { allowsClients, type Policy, policyChoices } from '../../../appliance/page/src/clients/policies.ts';

const kvs = { publicUrl: null, region: 'us-east-1', acceptedRegion: null, credentialsPort: 8444 };
const origin = 'https://10.0.0.7:8443';
const textOf = (lines: readonly { readonly text: string }[]) => lines.map(({ text }) => text).join('\n');

test('the endpoint is the public address where there is one, else the one by which the page was opened', () => {
  const open = kvsSiteOf({ hasAuthority: true, kvs }, origin);
  const told = kvsSiteOf({ hasAuthority: true, kvs: { ...kvs, publicUrl: 'https://kvs.example.org/weir/' } }, origin);

  expect(open).toEqual({ endpoint: origin, region: 'us-east-1', hasAuthority: true, credentials: '10.0.0.7:8444' });
  expect([told.endpoint, told.credentials]).toEqual(['https://kvs.example.org/weir', 'kvs.example.org:8444']);
});

test('clients sign for the one region that is taken, and trust an authority only where they are told of one', () => {
  const site = kvsSiteOf({ hasAuthority: false, kvs: { ...kvs, acceptedRegion: 'eu-central-1' } }, origin);
  const plain = kvsSiteOf({ hasAuthority: true, kvs }, 'http://127.0.0.1:8443');

  for (const { name } of clients) {
    expect(textOf(clientLines(name, site))).toContain(
      name === 'javascript' ? "region: 'eu-central-1'" : 'eu-central-1',
    );
    expect(textOf(clientLines(name, site))).not.toContain('weir-ca.pem');
    expect(textOf(clientLines(name, plain))).not.toContain('weir-ca.pem');
    expect(textOf(clientLines(name, kvsSiteOf({ hasAuthority: true, kvs }, origin)))).toMatch(/weir-ca\.pem/);
  }
});

test('no line for clients has a key in it: all of them read it from the file', () => {
  const site = kvsSiteOf({ hasAuthority: true, kvs }, origin);

  for (const { name } of clients) {
    const text = textOf(clientLines(name, site));
    expect(text).toContain('. ./aws.env');
    expect(text).toContain(origin);
    expect(text).not.toMatch(/SECRET|secret/);
  }
});

test('a device is told its files, its endpoint and whom to trust; nothing where there is no endpoint', () => {
  const own = kvsSiteOf({ hasAuthority: true, kvs }, origin);
  const publicly = kvsSiteOf({ hasAuthority: false, kvs }, origin);
  const off = kvsSiteOf({ hasAuthority: true, kvs: { ...kvs, credentialsPort: null } }, origin);

  expect(textOf(deviceLines('gate', own)).replaceAll('\\\n', '')).toMatch(
    /endpoint=10\.0\.0\.7:8444,cert-path=gate\.certificate\.pem,key-path=gate\.private\.pem,ca-path=weir-ca\.pem,.*iot-thing-name=gate/,
  );
  expect(textOf(deviceLines('gate', publicly))).toContain('ca-path=/etc/ssl/certs/');
  expect(deviceLines('gate', off)).toEqual([]);
});

const policy = (name: string, ...statements: Policy['statements']): Policy => ({ name, description: '', statements });
const allow = (...actions: string[]) => ({ effect: 'allow' as const, actions, resources: ['*'] });

test('only policies that allow clients anything are offered', () => {
  expect(allowsClients(policy('admin', allow('*')))).toBe(true);
  expect(allowsClients(policy('wide', allow('kinesis*')))).toBe(true);
  expect(allowsClients(policy('encoders', allow('cameras:read', 'kinesisvideo:PutMedia')))).toBe(true);
  expect(allowsClients(policy('viewer', allow('streams:*', 'cameras:read')))).toBe(false);
  expect(allowsClients(policy('typo', allow('kinesis')))).toBe(false);
  expect(allowsClients(policy('none', { effect: 'deny', actions: ['*'], resources: ['*'] }))).toBe(false);
});

test('presets come first, are made once, and step back for a policy of the site that has their name', () => {
  const site = [
    policy('admin', allow('*')),
    policy('aa', allow('kinesisvideo:*')),
    policy('viewer', allow('streams:*')),
  ];
  const named = (choices: ReturnType<typeof policyChoices>) =>
    choices.map(({ title, isToBeMade }) => (isToBeMade ? `${title} +` : title));

  const first = policyChoices(site, { mayMake: true });
  const send = first[0] ?? policy('none');
  const later = policyChoices([...site, { ...send, description: 'changed words' }], { mayMake: true });
  const other = policyChoices([...site, policy('kvs-send', allow('kinesisvideo:*'))], { mayMake: true });

  expect(named(first)).toEqual(['Send media +', 'Watch and read +', 'Everything of the KVS API +', 'aa', 'admin']);
  expect(named(later)).toEqual(['Send media', 'Watch and read +', 'Everything of the KVS API +', 'aa', 'admin']);
  expect(named(other)).toEqual(['Watch and read +', 'Everything of the KVS API +', 'aa', 'admin', 'kvs-send']);
  expect(named(policyChoices(site, { mayMake: false }))).toEqual(['aa', 'admin']);
});
