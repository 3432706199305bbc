/** Devices of KVS clients: who they are by certificate, and what they may do. Their private keys are kept nowhere. */

import { and, asc, desc, eq, isNull, sql } from '../base/drizzle.ts';
import { appError } from '../base/errors.ts';
import { type CatalogDb, countRows } from './database.ts';
import { newId } from './id.ts';
import { devices } from './schema.ts';

export type Device = {
  readonly id: string;
  /** The thing name. */
  readonly name: string;
  readonly policies: readonly string[];
  /** SHA-256 of its certificate, 64 hexadecimal digits. */
  readonly fingerprint: string;
  readonly serial: string;
  readonly createdBy: string;
  readonly createdMs: number;
  readonly expiresMs: number;
  readonly revokedMs: number | null;
  readonly lastUsedMs: number | null;
};

/** As many as there may be access keys; revoked ones count too, and make room for new ones. */
export const devicesMax = 10_000;

/** Using a device writes at most this often. */
const touchPeriodMs = 60_000;

export class DeviceTable {
  readonly #db: CatalogDb;
  readonly #random: (bytes: number) => Uint8Array;

  constructor(db: CatalogDb, random: (bytes: number) => Uint8Array) {
    this.#db = db;
    this.#random = random;
  }

  /** By name; of one name the newest first. */
  list(): Device[] {
    return this.#db.select().from(devices).orderBy(sql`${devices.name} collate nocase`, desc(devices.createdMs)).all();
  }

  find(deviceId: string): Device | undefined {
    return this.#db.select().from(devices).where(eq(devices.id, deviceId)).get();
  }

  /** The device while it is good: neither revoked nor over. */
  findGood(deviceId: string, nowMs: number): Device | undefined {
    return good(this.find(deviceId), nowMs);
  }

  /** Whose certificate it is, while it is good. @param fingerprint  as `Device` has it */
  findByCertificate(fingerprint: string, nowMs: number): Device | undefined {
    return good(this.#db.select().from(devices).where(eq(devices.fingerprint, fingerprint)).get(), nowMs);
  }

  /** True when there is one that may come: while there is none, nobody need listen. */
  hasGood(nowMs: number): boolean {
    const row = this.#db
      .select({ id: devices.id })
      .from(devices)
      .where(and(isNull(devices.revokedMs), sql`${devices.expiresMs} > ${nowMs}`))
      .limit(1)
      .get();
    return row !== undefined;
  }

  /** Notes that it was used. */
  touch(device: Pick<Device, 'id' | 'lastUsedMs'>, nowMs: number): void {
    if (device.lastUsedMs !== null && Math.abs(nowMs - device.lastUsedMs) < touchPeriodMs) return;
    this.#db.update(devices).set({ lastUsedMs: nowMs }).where(eq(devices.id, device.id)).run();
  }

  /**
   * @throws AppError already_exists      a device that is not revoked has the name
   * @throws AppError resource_exhausted  there are `devicesMax`, none of them revoked
   */
  create(
    device: Pick<Device, 'name' | 'policies' | 'fingerprint' | 'serial' | 'createdBy' | 'expiresMs'>,
    nowMs: number,
  ): Device {
    this.requireFree(device.name);
    this.#makeRoom();
    const row = { id: newId(this.#random), ...device, createdMs: nowMs, revokedMs: null, lastUsedMs: null };
    this.#db.insert(devices).values(row).run();
    return row;
  }

  /** @throws AppError already_exists  a device that is not revoked has the name */
  requireFree(name: string): void {
    const taken = this.#db
      .select({ id: devices.id })
      .from(devices)
      .where(and(eq(devices.name, name), isNull(devices.revokedMs)))
      .get();
    if (taken !== undefined) {
      throw appError('already_exists', `another device is called "${name}"`, {
        field: 'name',
        hint: 'revoke it first, where this is its new certificate',
      });
    }
  }

  /**
   * For good: its certificate and credentials open nothing from now on. The row stays, to be shown.
   * @throws AppError not_found  no such device, or revoked already
   */
  revoke(deviceId: string, nowMs: number): Device {
    const device = this.find(deviceId);
    if (device === undefined || device.revokedMs !== null) throw appError('not_found', 'no such device', { deviceId });
    this.#db.update(devices).set({ revokedMs: nowMs }).where(eq(devices.id, deviceId)).run();
    return { ...device, revokedMs: nowMs };
  }

  /** Those that were revoked first go: a certificate that is not known is refused as a revoked one is. */
  #makeRoom(): void {
    const surplus = countRows(this.#db, devices) - devicesMax + 1;
    if (surplus <= 0) return;
    const oldest = this.#db
      .select({ id: devices.id })
      .from(devices)
      .where(sql`${devices.revokedMs} is not null`)
      .orderBy(asc(devices.revokedMs))
      .limit(surplus)
      .all();
    if (oldest.length < surplus) {
      throw appError('resource_exhausted', `there are ${devicesMax} devices, which is the most`, {});
    }
    for (const { id } of oldest) this.#db.delete(devices).where(eq(devices.id, id)).run();
  }
}

function good(device: Device | undefined, nowMs: number): Device | undefined {
  return device === undefined || device.revokedMs !== null || device.expiresMs <= nowMs ? undefined : device;
}
