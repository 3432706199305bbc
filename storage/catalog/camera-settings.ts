/** What people decide about a camera. */

import type { KvsSource, PublisherSource, RecordingPolicy, RtspSource, WeeklySchedule } from '../model/camera.ts';

/** Sealed under the site key: opaque here. */
export type SealedCredentials = { readonly username: string; readonly password: string };

/** How a source is reached, without what is secret. */
export type CatalogSource = Omit<RtspSource, 'username' | 'password'> | PublisherSource | KvsSource;

/** One source of a camera, and how its stream is kept. */
export type CameraSource = {
  readonly source: CatalogSource;
  /** Its own; undefined when they are the camera's. */
  readonly credentials: SealedCredentials | undefined;
  readonly recording: CatalogRecording;
};

/** A `RecordingPolicy` as people decide it. */
export type CatalogRecording = Omit<RecordingPolicy, 'schedule' | 'eventRetentionHours' | 'bytesMax'> & {
  readonly schedule: WeeklySchedule | undefined;
  /** Undefined: as long as the rest. */
  readonly eventRetentionHours: number | undefined;
};

/** Where a camera answers ONVIF. */
export type CatalogDevice = {
  readonly url: string;
  readonly tls: 'verify' | 'any';
  /** Its own; undefined when they are the camera's. */
  readonly credentials: SealedCredentials | undefined;
};

/** What people decide about a camera. */
export type CameraSettings = {
  readonly name: string;
  readonly credentials: SealedCredentials | undefined;
  readonly sources: { readonly main: CameraSource; readonly sub: CameraSource | undefined };
  readonly onvif: CatalogDevice | undefined;
  /** Bytes that all its streams together may hold; undefined for no bound of its own. */
  readonly bytesMax: number | undefined;
  readonly isEnabled: boolean;
};
