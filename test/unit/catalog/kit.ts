/** An open catalog in a temporary directory, with repeatable ids. */

import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { type Actor, type CameraSettings, type CameraSource, Catalog } from '../../../storage/catalog/index.ts';
import { SimulatedClock } from '../../kit/simulated-clock.ts';
import { temporaryDirectory } from '../../kit/temp.ts';

export const actor: Actor = { kind: 'user', id: 'u1', name: 'ada', address: '192.0.2.7', requestId: 'r1' };

export async function openTestCatalog(options: { readonly path?: string; readonly migrationsFolder?: string } = {}) {
  const clock = new SimulatedClock();
  const path = options.path ?? join(await temporaryDirectory(), 'db', 'catalog.sqlite');
  const { migrationsFolder } = options;
  const catalog = new Catalog(
    { clock, random: randomBytes },
    { path, ...(migrationsFolder === undefined ? {} : { migrationsFolder }) },
  );
  catalog.start();
  onTestFinished(() => catalog.close());
  return { catalog, clock, path };
}

export function cameraSource(change: Partial<CameraSource> = {}): CameraSource {
  return {
    source: { kind: 'rtsp', url: 'rtsp://192.0.2.10/main', transport: 'tcp', tls: 'verify' },
    credentials: undefined,
    recording: {
      mode: 'continuous',
      schedule: undefined,
      retentionHours: 168,
      eventRetentionHours: undefined,
      preRollMinutes: 10,
    },
    ...change,
  };
}

export function cameraSettings(change: Partial<CameraSettings> = {}): CameraSettings {
  return {
    name: 'Front door',
    credentials: { username: 'sealed-user', password: 'sealed-password' },
    sources: { main: cameraSource(), sub: undefined },
    onvif: undefined,
    bytesMax: undefined,
    isEnabled: true,
    ...change,
  };
}
