/** What a site file changes of cameras: each is made or changed as the API would, from the same input. Pure. */

import { appError } from '../../../storage/base/errors.ts';
import { type Camera, type CameraSettings, changedSettings } from '../../../storage/catalog/index.ts';
import { isPublisher } from '../../../storage/model/camera.ts';
import type { CameraInput } from '../camera-input.ts';
import { changedCameraSettings, newCameraSettings } from '../camera-settings.ts';
import { parseDeviceUrl, parseSourceUrl } from '../source-url.ts';
import type { SiteCamera, SiteCredentials, SiteDocument, SiteSource } from './document.ts';
import { type Declared, fieldOf, type MatchOptions } from './match.ts';
import type { CameraStep, PlanTools, SiteState } from './plan.ts';
import type { Opener } from './secrets.ts';
import { declaredOf, stepsOf } from './steps.ts';

/** What becomes of cameras. */
export function cameraSteps(
  state: SiteState,
  document: SiteDocument,
  tools: PlanTools,
  options: MatchOptions,
): CameraStep[] {
  const declared = declaredOf(document.cameras);
  const steps = stepsOf<SiteCamera, Camera, CameraStep>({ declared, items: state.cameras, options }, (each, before) => {
    const input = cameraInputOf(each, tools.openCamera);
    const made = before === undefined ? newCameraSettings(input, tools) : changedCameraSettings(before, input, tools);
    const { settings, streamKeys } = withKnownKeys(each.wanted, made);
    const changed = before === undefined ? [] : shownFields(changedSettings(before, settings));
    return { changed, payload: { settings, streamKeys } };
  });
  refuseSharedKeys(steps, state);
  return steps;
}

/** What `POST /api/cameras` would be sent. */
function cameraInputOf({ key, name, wanted }: Declared<SiteCamera>, open: Opener): CameraInput {
  const at = (field: string) => `${fieldOf('camera', key)}.${field}`;
  const { recording, isEnabled, onvif, sub } = wanted;
  const main = sourceOf(wanted, { open, at: (field) => at(field) });
  const device = onvif === null ? undefined : parseDeviceUrl(open(onvif.url, at('onvif.url')));
  return {
    name,
    ...main,
    recording,
    isEnabled,
    sub:
      sub === null ? null : { ...sourceOf(sub, { open, at: (field) => at(`sub.${field}`) }), recording: sub.recording },
    onvif:
      onvif === null || device === undefined
        ? null
        : {
            url: device.url,
            tls: onvif.tls,
            credentials: credentialsOf(onvif.credentials, open, at('onvif')) ?? device.credentials ?? null,
          },
  };
}

function sourceOf(
  wanted: { readonly source: SiteSource; readonly credentials: SiteCredentials | null },
  { open, at }: { readonly open: Opener; readonly at: (field: string) => string },
): Pick<CameraInput, 'source' | 'credentials'> {
  const { kind, url, transport = 'tcp', tls = 'verify' } = wanted.source;
  const own = credentialsOf(wanted.credentials, open, at('credentials').replace(/\.credentials$/, ''));
  if (kind === 'kvs') return { source: { kind }, credentials: own };
  if (kind === 'whip') return { source: { kind }, credentials: own };
  if (kind === 'rtmp' || url === undefined) return { source: { kind: 'rtmp' }, credentials: own };
  const parsed = parseSourceUrl(open(url, at('source.url')));
  return { source: { kind: 'rtsp', url: parsed.url, transport, tls }, credentials: own ?? parsed.credentials ?? null };
}

function credentialsOf(credentials: SiteCredentials | null, open: Opener, at: string) {
  if (credentials === null) return null;
  const field = `${at}.credentials`;
  return {
    username: open(credentials.username, `${field}.username`),
    password: open(credentials.password, `${field}.password`),
  };
}

/** Keys that the file names by their hash take the place of those just made. */
function withKnownKeys(wanted: SiteCamera, made: ReturnType<typeof newCameraSettings>): typeof made {
  let { settings, streamKeys } = made;
  for (const role of ['main', 'sub'] as const) {
    const keySha256 = (role === 'main' ? wanted.source : wanted.sub?.source)?.keySha256;
    const own = settings.sources[role];
    if (keySha256 === undefined || own === undefined || !isPublisher(own.source)) continue;
    const source = { kind: own.source.kind, keySha256 };
    settings = { ...settings, sources: { ...settings.sources, [role]: { ...own, source } } };
    const { [role]: _, ...others } = streamKeys;
    streamKeys = others;
  }
  return { settings, streamKeys };
}

/** A key opens one source. */
function refuseSharedKeys(steps: readonly CameraStep[], state: SiteState): void {
  const changed = new Set(steps.map(({ id }) => id));
  const users = new Map<string, string>();
  const note = (settings: CameraSettings, field: string) => {
    for (const role of ['main', 'sub'] as const) {
      const source = settings.sources[role]?.source;
      if (source === undefined || !isPublisher(source)) continue;
      const other = users.get(source.keySha256);
      if (other !== undefined) {
        throw appError('invalid_argument', `${field}: its stream key is also that of ${other}`, { field });
      }
      users.set(source.keySha256, field);
    }
  };
  for (const camera of state.cameras) if (!changed.has(camera.id)) note(camera, camera.name);
  for (const { settings, key } of steps) if (settings !== undefined) note(settings, fieldOf('camera', key));
}

/** Columns in the words of the file. User and password are sealed together: which of them changed is not said. */
function shownFields(columns: readonly string[]): string[] {
  const shown = columns.map((column) =>
    column
      .replace(/sealed(Username|Password)$/i, 'credentials')
      .replace(/^onvif(\w)/, (_, letter: string) => `onvif.${letter.toLowerCase()}`),
  );
  return [...new Set(shown)];
}
