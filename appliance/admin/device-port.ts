/** Devices as the rest of `serve` sees them: who certifies them, and where they come with what they were given. */

import type { Clock } from '../../storage/base/clock.ts';
import { appError } from '../../storage/base/errors.ts';
import type { Log } from '../../storage/base/log.ts';
import type { Catalog } from '../../storage/catalog/index.ts';
import { DeviceAuthority, type DeviceIdentity } from '../tls/index.ts';
import { CredentialsDoor } from './credentials-door.ts';
import type { TlsMaterial } from './parts.ts';
import type { TemporaryKeys } from './temporary-keys.ts';

export type DevicePortDeps = {
  readonly clock: Clock;
  readonly log: Log;
  readonly random: (bytes: number) => Uint8Array;
  readonly catalog: Catalog;
  readonly temporaryKeys: TemporaryKeys;
  readonly tls: TlsMaterial | undefined;
};

export type DevicePortOptions = {
  /** Where the authority of devices lies. */
  readonly directory: string;
  /** Undefined listens on all addresses. */
  readonly host: string | undefined;
  /** Undefined: devices are given nothing here. */
  readonly port: number | undefined;
};

export class DevicePort {
  readonly #deps: DevicePortDeps;
  readonly #authority: DeviceAuthority;
  readonly #door: CredentialsDoor | undefined;

  constructor(deps: DevicePortDeps, options: DevicePortOptions) {
    const { tls } = deps;
    const { directory, host, port } = options;
    this.#deps = deps;
    this.#authority = new DeviceAuthority(deps, { directory });
    if (tls === undefined || port === undefined) return;
    const deviceAuthorityPem = () => this.#authority.certificatePem();
    this.#door = new CredentialsDoor({ ...deps, tls, deviceAuthorityPem }, { host, port });
  }

  /** The port of the credentials endpoint; undefined while it does not listen. */
  get port(): number | undefined {
    return this.#door?.port;
  }

  async start(): Promise<void> {
    await this.#door?.start();
  }

  /** To be called when a device came or went. */
  async changed(): Promise<void> {
    await this.#door?.changed();
  }

  /**
   * Certifies a device.
   * @throws AppError failed_precondition  there is no endpoint at which it could use that
   * @throws AppError                      as `DeviceAuthority.issue`
   */
  issue(wishes: Parameters<DeviceAuthority['issue']>[0]): Promise<DeviceIdentity> {
    if (this.#door === undefined) {
      throw appError('failed_precondition', 'there is no credentials endpoint for devices', {
        hint:
          this.#deps.tls === undefined ? 'it needs TLS: set tls.mode to own or files' : 'set kvs.credentials.enabled',
      });
    }
    return this.#authority.issue(wishes);
  }

  async close(): Promise<void> {
    await this.#door?.close();
  }
}
