/** Reads the certificate and key that the public port shows, as files. */

import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { errnoOf } from '../../storage/base/errors.ts';
import { certificateFacts } from '../tls/index.ts';
import type { CertificateFacts } from './judge-parts.ts';

export type CertificateQuestion = Pick<CertificateFacts, 'nowMs' | 'namesWanted' | 'isOwn'> & {
  readonly certificateFile: string;
  readonly keyFile: string;
};

/** Undefined: ours, which is made at the first start. */
export async function lookAtCertificate(question: CertificateQuestion): Promise<CertificateFacts | undefined> {
  const { certificateFile, keyFile, ...given } = question;
  const none = { notBeforeMs: 0, notAfterMs: 0, names: [], isKeyMatching: false };
  try {
    const [pem, key] = await Promise.all([readFile(certificateFile, 'utf8'), readFile(keyFile, 'utf8')]);
    const { notBeforeMs, notAfterMs, names } = certificateFacts(pem);
    const isKeyMatching = new X509Certificate(pem).checkPrivateKey(createPrivateKey(key));
    return { ...given, path: certificateFile, error: undefined, notBeforeMs, notAfterMs, names, isKeyMatching };
  } catch (error) {
    if (given.isOwn && errnoOf(error) === 'ENOENT') return undefined;
    const text = errnoOf(error) ?? (error instanceof Error ? error.message : String(error));
    return { ...given, ...none, path: certificateFile, error: text };
  }
}
