/** What an edge configuration comes to for the camera of its stream, and what of it cannot be honoured here. Pure. */

import type { EdgeSettings } from '../../../storage/catalog/index.ts';
import type { RecordingMode, WeeklySchedule } from '../../../storage/model/camera.ts';
import { mapSchedule } from './quartz.ts';

/** How the camera is to be changed; how it is done, and whether its settings allow it, is known by who keeps them. */
export type EdgeChange = {
  /** An RTSP address with user and password, as the secret says; null: a KVS producer sends again. */
  readonly url: string | null;
  readonly recording: {
    readonly mode: RecordingMode;
    readonly schedule: WeeklySchedule | null;
    readonly retentionHours?: number;
    readonly bytesMax: number | null;
  };
};

export type EdgeOutcome =
  | { readonly kind: 'change'; readonly change: EdgeChange }
  /** A sentence for a person, without credentials. */
  | { readonly kind: 'refused'; readonly failure: string };

/** What the camera is again when its configuration goes. Nothing of its recordings does. */
export const releasedCamera: EdgeChange = {
  url: null,
  recording: { mode: 'continuous', schedule: null, bytesMax: null },
};

const megabyte = 1_000_000;
const weekMinutes = 7 * 24 * 60;

export function carryOut(
  settings: EdgeSettings,
  given: {
    /** What the secret says; undefined when there is none of that ARN. */
    readonly secret: string | undefined;
    /** The stream's own. */
    readonly retentionHours: number;
    /** In which schedules are read. */
    readonly timeZone: string;
  },
): EdgeOutcome {
  const { deletion, mediaKind, recorder } = settings;
  if (mediaKind === 'file') {
    return refused('MediaUriType FILE_URI is not carried out here: files are imported by people, with weir import');
  }
  if (deletion?.localSize?.onFull === 'deny-new') {
    return refused(
      'StrategyOnFullSize DENY_NEW_MEDIA is not possible here: what is new always goes before what is old',
    );
  }
  if (given.secret === undefined)
    return refused('there is no secret of that MediaUriSecretArn: weir secret list names them');
  const url = mediaUriOf(given.secret);
  if (url === undefined) return refused('the secret is neither an rtsp address nor JSON with one as MediaURI');
  const times = recorder === undefined ? always : timesOf(mapSchedule(recorder), given.timeZone);
  if (typeof times === 'string') return refused(`ScheduleExpression cannot be carried out here: ${times}`);
  const megabytesMax = deletion?.localSize?.megabytesMax;
  return {
    kind: 'change',
    change: {
      url,
      recording: {
        ...times,
        ...retentionOf(deletion?.retentionHours, given.retentionHours),
        bytesMax: megabytesMax === undefined ? null : megabytesMax * megabyte,
      },
    },
  };
}

const always = { mode: 'continuous', schedule: null } as const;

/** There is one copy, the stream's: it is kept as long as either wants it, so nothing is lost that somebody was promised. */
function retentionOf(edgeHours: number | undefined, streamHours: number): { readonly retentionHours?: number } {
  return edgeHours === undefined || edgeHours <= streamHours ? {} : { retentionHours: edgeHours };
}

/** Or why it is no schedule of ours. */
function timesOf(
  mapped: ReturnType<typeof mapSchedule>,
  timeZone: string,
): string | Pick<EdgeChange['recording'], 'mode' | 'schedule'> {
  if (mapped === undefined) return 'it is no Quartz cron expression';
  if (mapped.kind === 'unmappable') return mapped.reason;
  const minutes = mapped.spans.reduce((sum, span) => sum + span.endMinute - span.beginMinute, 0);
  return minutes === weekMinutes ? always : { mode: 'live', schedule: { timeZone, spans: mapped.spans } };
}

/** As people type it, or as AWS documents the secrets of its edge agent: JSON with the one key `MediaURI`. */
function mediaUriOf(secret: string): string | undefined {
  const text = secret.trim();
  const uri = text.startsWith('{') ? uriOfJson(text) : text;
  return uri !== undefined && /^rtsps?:\/\//i.test(uri) ? uri : undefined;
}

function uriOfJson(text: string): string | undefined {
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed !== 'object' || parsed === null || !('MediaURI' in parsed)) return undefined;
    return typeof parsed.MediaURI === 'string' ? parsed.MediaURI.trim() : undefined;
  } catch {
    return undefined;
  }
}

function refused(failure: string): EdgeOutcome {
  return { kind: 'refused', failure };
}
