/**
 * What is said to devices: the npm package `onvif` words the requests, and does nothing else. Its connections, its reader, its
 * event loop and its search are not used; see the README for what they do with a hostile device.
 */

import onvif from 'onvif';
import { assert, must } from '../../storage/base/assert.ts';

/** One request in words, without where it goes. */
export type SoapWords = { readonly action: string; readonly body: string };

/** The package's client, and what of it its types leave out. The version is pinned; a test asks for each wording. */
export type WordingClient = InstanceType<typeof onvif.Cam> & {
  media2Support: boolean;
  _requestPart2: (request: SoapWords) => void;
  _envelopeHeader: (isLeftOpen?: boolean) => string;
};

/** Options of the package are filled in by it; answers come another way. */
export const unheard = (): void => {};

const envelope =
  '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://www.w3.org/2005/08/addressing"><s:Header>';
const bodyBegin =
  '</s:Header><s:Body xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xsd="http://www.w3.org/2001/XMLSchema">';

/**
 * The words of one request. Text that goes into it must be escaped by the caller, since the package writes it as it is.
 *
 * @param say       calls exactly one method of the package's client, with `unheard` as callback
 * @param security  the header's login, empty for none
 */
export function wordsOf(say: (client: WordingClient) => void, security: string): SoapWords {
  const client = new onvif.Cam({ hostname: 'device', autoconnect: false }) as WordingClient;
  let words: SoapWords | undefined;
  client._envelopeHeader = (isLeftOpen) => `${envelope}${security}${isLeftOpen === true ? '' : bodyBegin}`;
  client._requestPart2 = ({ action, body }) => {
    assert(words === undefined, 'one call makes one request');
    // The question about the clock is worded for everyone, without a header; a few devices want a login even for that.
    const header = body.includes('<s:Header>') ? '' : `<s:Header>${security}</s:Header>`;
    words = { action, body: body.replace('<s:Body', () => `${header}<s:Body`) };
  };
  say(client);
  return must(words, 'the package words a request at once');
}
