/** The site's own certificate from two files, read again when they change (certbot and the like replace them in place). */

import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { Clock } from '../../storage/base/clock.ts';
import { appError } from '../../storage/base/errors.ts';
import { Lifetime } from '../../storage/base/lifecycle.ts';
import type { Log } from '../../storage/base/log.ts';
import type { TlsMaterial } from './tls-material.ts';

const checkPeriodMs = 60_000;

type Identity = { readonly key: string; readonly cert: string };

export class SiteCertificates implements TlsMaterial {
  readonly #deps: { readonly clock: Clock; readonly log: Log };
  readonly #options: { readonly certificateFile: string; readonly keyFile: string };
  readonly #lifetime = new Lifetime();
  readonly #callbacks = new Set<() => void>();
  #identity: Identity | undefined;

  constructor(
    deps: { readonly clock: Clock; readonly log: Log },
    options: { readonly certificateFile: string; readonly keyFile: string },
  ) {
    this.#deps = deps;
    this.#options = options;
  }

  /** @throws AppError invalid_argument  the files cannot be read or do not belong together */
  async start(): Promise<void> {
    this.#identity = await this.#read();
    this.#lifetime.loop(async (signal) => {
      for (;;) {
        await this.#deps.clock.sleep(checkPeriodMs, signal);
        await this.#takeNew();
      }
    });
  }

  close(): Promise<void> {
    return this.#lifetime.close();
  }

  readonly identity = (): Identity => {
    if (this.#identity === undefined) throw appError('failed_precondition', 'certificates are used before their start');
    return this.#identity;
  };

  readonly authorityPem = (): string | undefined => undefined;

  readonly onRenewed = (callback: () => void): (() => void) => {
    this.#callbacks.add(callback);
    return () => this.#callbacks.delete(callback);
  };

  /** Half a renewal (the new certificate, still the old key) does not fit together: the next look will. */
  async #takeNew(): Promise<void> {
    try {
      const fresh = await this.#read();
      if (fresh.cert === this.#identity?.cert && fresh.key === this.#identity.key) return;
      this.#identity = fresh;
      this.#deps.log.info('server certificate replaced', { file: this.#options.certificateFile });
      for (const callback of this.#callbacks) callback();
    } catch (error) {
      this.#deps.log.warn('server certificate cannot be read, the old one stays', { error });
    }
  }

  async #read(): Promise<Identity> {
    const { certificateFile, keyFile } = this.#options;
    try {
      const [cert, key] = await Promise.all([readFile(certificateFile, 'utf8'), readFile(keyFile, 'utf8')]);
      if (new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))) return { cert, key };
    } catch (error) {
      throw appError('invalid_argument', `certificate ${certificateFile} or key ${keyFile} cannot be read`, {
        cause: error,
        key: 'tls.certificateFile',
      });
    }
    throw appError('invalid_argument', `certificate ${certificateFile} does not belong to key ${keyFile}`, {
      key: 'tls.certificateFile',
    });
  }
}
