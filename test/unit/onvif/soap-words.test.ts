/** Each wording that is taken from the package: it overrides two of its private methods, so a new version must show them all. */

import { expect, it } from 'vitest';
import { unheard, type WordingClient, wordsOf } from '../../../gateway/onvif/soap-words.ts';
import { usernameToken } from '../../../gateway/onvif/ws-security.ts';
import { childOf, elementAt, readXml, textAt } from '../../../gateway/onvif/xml.ts';

const device = 'http://www.onvif.org/ver10/device/wsdl';
const media = 'http://www.onvif.org/ver10/media/wsdl';
const media2 = 'http://www.onvif.org/ver20/media/wsdl';
const ptz = 'http://www.onvif.org/ver20/ptz/wsdl';
const events = 'http://www.onvif.org/ver10/events/wsdl';
const notification = 'http://docs.oasis-open.org/wsn/b-2';

const subscribed = (client: WordingClient) => {
  const reference = { address: { href: 'http://c/1' }, referenceParameters: { subscriptionId: '7' } };
  client.events = { subscription: { subscriptionReference: reference } } as unknown as WordingClient['events'];
  return client;
};
const second = (client: WordingClient) => {
  client.media2Support = true;
  return client;
};
const profileToken = 'p';

const sayings: readonly (readonly [string, (client: WordingClient) => void])[] = [
  [`${device}/GetSystemDateAndTime`, (client) => client.getSystemDateAndTime(unheard)],
  [`${device}/SetSystemDateAndTime`, (client) => client.setSystemDateAndTime({ dateTimeType: 'NTP' }, unheard)],
  [`${device}/GetServices`, (client) => client.getServices(false, unheard)],
  [`${device}/GetCapabilities`, (client) => client.getCapabilities(unheard)],
  [`${device}/GetDeviceInformation`, (client) => client.getDeviceInformation(unheard)],
  [`${device}/GetScopes`, (client) => client.getScopes(unheard)],
  [`${media}/GetProfiles`, (client) => client.getProfiles(unheard)],
  [`${media}/GetStreamUri`, (client) => client.getStreamUri({ protocol: 'RTSP', profileToken }, unheard)],
  [`${media2}/GetProfiles`, (client) => second(client).getProfiles(unheard)],
  [`${media2}/GetStreamUri`, (client) => second(client).getStreamUri({ protocol: 'RTSP', profileToken }, unheard)],
  [`${ptz}/GetNodes`, (client) => client.getNodes(unheard)],
  [`${ptz}/ContinuousMove`, (client) => client.continuousMove({ x: 1, y: 0, profileToken, timeout: 4_000 }, unheard)],
  [`${ptz}/AbsoluteMove`, (client) => client.absoluteMove({ x: 1, y: 0, profileToken }, unheard)],
  [`${ptz}/RelativeMove`, (client) => client.relativeMove({ x: 1, y: 0, profileToken }, unheard)],
  [`${ptz}/Stop`, (client) => client.stop({ profileToken, panTilt: true, zoom: true }, unheard)],
  [`${ptz}/GetPresets`, (client) => client.getPresets({ profileToken }, unheard)],
  [`${ptz}/GotoPreset`, (client) => client.gotoPreset({ profileToken, preset: '1' }, unheard)],
  [`${ptz}/SetPreset`, (client) => client.setPreset({ profileToken, presetName: 'Gate' }, unheard)],
  [`${ptz}/RemovePreset`, (client) => client.removePreset({ profileToken, presetToken: '1' }, unheard)],
  [`${events}/CreatePullPointSubscription`, (client) => client.createPullPointSubscription(unheard)],
  [`${events}/PullMessages`, (client) => subscribed(client).pullMessages({ messageLimit: 9 }, unheard)],
  [`${notification}/Renew`, (client) => subscribed(client).renew(unheard)],
  [`${notification}/Unsubscribe`, (client) => subscribed(client).unsubscribe(unheard)],
];

const login = usernameToken({ username: 'u&1', password: 'p' }, { deviceMs: 0, nonce: new Uint8Array(16) });

it.each(sayings)('%s is one well-formed request with a login', (action, say) => {
  const words = wordsOf(say, login);

  const envelope = readXml(words.body);
  expect(words.action).toBe(action);
  expect(elementAt(envelope, 'Body')?.children.map(({ name }) => name)).toEqual([action.split('/').at(-1)]);
  expect(textAt(envelope, 'Header', 'Security', 'UsernameToken', 'Username')).toBe('u&1');
});

it('pulls name the subscription and Axis its number', () => {
  const { body } = wordsOf((client) => subscribed(client).pullMessages({ messageLimit: 9 }, unheard), login);

  const header = childOf(readXml(body), 'Header');
  expect(textAt(header, 'To')).toBe('http://c/1');
  expect(textAt(header, 'SubscriptionId')).toBe('7');
  expect(textAt(readXml(body), 'Body', 'PullMessages', 'MessageLimit')).toBe('9');
});

it('the digest of a login is that of the standard: Base64(SHA-1(nonce + created + password))', () => {
  const nonce = Buffer.from('LKqI6G/AikKCQrN0zqZFlg==', 'base64');
  const deviceMs = Date.UTC(2010, 8, 16, 7, 50, 45);

  const token = readXml(usernameToken({ username: 'user', password: 'userpassword' }, { deviceMs, nonce }));

  expect(textAt(token, 'UsernameToken', 'Created')).toBe('2010-09-16T07:50:45.000Z');
  // Computed by Python's hashlib.
  expect(textAt(token, 'UsernameToken', 'Password')).toBe('GWk9UqNXKG2Mstn03A/oF+HQr84=');
});

it("keeps a login as it is, whatever its user's name means to JavaScript", () => {
  const username = "a$&b$`c$'d";
  const security = usernameToken({ username, password: 'p' }, { deviceMs: 0, nonce: Uint8Array.of(1) });

  const { body } = wordsOf((client) => client.getSystemDateAndTime(unheard), security);

  const token = elementAt(readXml(body), 'Header', 'Security', 'UsernameToken');
  expect(textAt(token, 'Username')).toBe(username);
});
