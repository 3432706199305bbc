/** What a device answered: the content of its body, or its fault as an error. Pure. */

import { type AppError, appError, isAppError } from '../../storage/base/errors.ts';
import type { Credentials } from '../rtsp/index.ts';
import { refusedLogin } from './soap-post.ts';
import { childOf, readXml, textAt, type XmlElement } from './xml.ts';

/** The body's content. A fault becomes an error, whatever the status says: devices send faults with 200 and answers with 500. */
export function answerOf(
  text: string,
  facts: { readonly status: number; readonly url: string; readonly credentials: Credentials | undefined },
): XmlElement {
  const { status, url } = facts;
  const body = childOf(envelopeOf(text, status), 'Body');
  const content = body?.children[0];
  if (body === undefined || (content === undefined && status !== 200)) throw noSoap(status);
  if (content?.name === 'Fault') throw faultOf(content, { url, credentials: facts.credentials });
  // Some devices answer to orders with an empty body.
  return content ?? body;
}

function envelopeOf(text: string, status: number): XmlElement | undefined {
  try {
    const root = readXml(text);
    return root.name === 'Envelope' ? root : undefined;
  } catch (error) {
    if (status === 200 || isAppError(error, 'resource_exhausted')) throw error;
    throw noSoap(status);
  }
}

function noSoap(status: number): AppError {
  return appError('unavailable', `no ONVIF service answers there (HTTP status ${status})`, {
    hint: 'the address often ends with /onvif/device_service; in some cameras ONVIF must be switched on first',
  });
}

/** SOAP 1.2, and 1.1 as some devices send it. */
function faultOf(
  fault: XmlElement,
  request: { readonly url: string; readonly credentials: Credentials | undefined },
): AppError {
  const codes = [textAt(fault, 'Code', 'Value'), ...subcodes(childOf(fault, 'Code')), textAt(fault, 'faultcode')];
  const reason = textAt(fault, 'Reason', 'Text') ?? textAt(fault, 'faultstring') ?? '';
  const said = codes.join(' ');
  if (
    /NotAuthorized|FailedAuthentication|InvalidSecurity/i.test(said) ||
    /not authori[sz]ed|unauthori[sz]ed/i.test(reason)
  ) {
    return refusedLogin(request);
  }
  if (/NotSupported|NotImplemented/i.test(said) || /not (supported|implemented)/i.test(reason)) {
    return appError('unimplemented', `the device cannot do that: ${oneLine(reason) || 'it says no more'}`);
  }
  return appError('failed_precondition', `the device refuses: ${oneLine(reason) || oneLine(said)}`);
}

function subcodes(code: XmlElement | undefined): string[] {
  const found: string[] = [];
  for (let sub = childOf(code, 'Subcode'); sub !== undefined; sub = childOf(sub, 'Subcode')) {
    found.push(textAt(sub, 'Value') ?? '');
  }
  return found;
}

/** What a stranger wrote, fit for a message. */
function oneLine(text: string): string {
  return text.replace(/[\s\p{C}]+/gu, ' ').trim();
}
