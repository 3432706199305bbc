/** Many cameras at once, from a list as CSV. Each is added or not by itself, and for each is told what became of it and why. */

import { z } from 'zod';
import { appError, toAppError } from '../../../storage/base/errors.ts';
import { type Camera, camerasMax } from '../../../storage/catalog/index.ts';
import { type CameraRow, parseCameraList } from '../../bulk/index.ts';
import { asking } from '../access.ts';
import { callerOf } from '../caller.ts';
import { type CameraInput, cameraInput, credentialsInput } from '../camera-input.ts';
import { newCameraSettings } from '../camera-settings.ts';
import type { CameraTests } from '../camera-tests.ts';
import type { Context } from '../context.ts';
import type { App } from '../http-app.ts';
import { adminLimits } from '../limits.ts';
import { requestSignal } from '../request-signal.ts';
import { cameraResource } from '../resources.ts';
import { parseSourceUrl, shownUrl } from '../source-url.ts';
import { newStreamKey } from '../stream-keys.ts';

const resultShape = z.object({
  line: z.number().describe('of the list, from 1'),
  name: z.string(),
  url: z.string().describe('without user and password'),
  result: z.enum(['added', 'exists', 'refused']),
  cameraId: z.string().nullable(),
  message: z.string().nullable().describe('why it was refused, or which camera it is'),
  hint: z.string().nullable(),
});

type Result = z.infer<typeof resultShape>;

const bulkBody = z.strictObject({
  csv: z.string().max(adminLimits.siteBytesMax).describe('the first line names the columns; name and url are needed'),
  credentials: credentialsInput.nullable().default(null).describe('for cameras that have none of their own'),
  isTested: z.boolean().default(false).describe(`add only what answers; at most ${adminLimits.bulkTestsMax} at once`),
  isDryRun: z.boolean().default(false),
});

export function addCameraBulkRoute(app: App, context: Context, tests: CameraTests): void {
  const { cameraSecrets, catalog, clock, feed, plan, random } = context;
  const { cameras } = catalog.tables;
  const tools = { secrets: cameraSecrets, newStreamKey: () => newStreamKey(random) };

  app.post(
    '/api/cameras/bulk',
    {
      config: asking('cameras:create', 'camera'),
      bodyLimit: adminLimits.siteBytesMax,
      schema: {
        summary: 'Add the cameras of a list; each gets a result of its own',
        body: bulkBody,
        response: { 200: z.object({ results: z.array(resultShape) }) },
      },
    },
    async (request, reply) => {
      const { csv, credentials, isTested, isDryRun } = request.body;
      const caller = callerOf(request);
      if (isTested) caller.require('cameras:test', 'camera');
      const rowsMax = isTested ? adminLimits.bulkTestsMax : camerasMax;
      const rows = parseCameraList(csv, { rowsMax });
      const known = cameras.list();

      const one = async (row: CameraRow): Promise<Result> => {
        try {
          const input = inputOf(row, credentials);
          const same = existing(known, input);
          if (same !== undefined) return resultOf(row, { result: 'exists', camera: same });
          const { settings } = newCameraSettings(input, tools);
          if (isTested)
            await requireWorking(input, tests, () =>
              requestSignal(reply, { clock, timeoutMs: adminLimits.probeTimeoutMs }),
            );
          const camera = catalog.change(caller.actor, ({ nowMs, note }) => {
            const created = cameras.create(settings, nowMs);
            note({ action: 'cameras:create', resource: cameraResource(created.id), detail: { name: created.name } });
            if (isDryRun) throw new DryRun();
            return created;
          });
          known.push(camera);
          return resultOf(row, { result: 'added', camera });
        } catch (error) {
          if (error instanceof DryRun) return resultOf(row, { result: 'added' });
          return refusalOf(row, error);
        }
      };
      const results = await inOrder(rows, one, isTested ? adminLimits.bulkTestsAtOnceMax : 1);
      // Two lines of one name or address: without a trace of the first, only a real run would notice.
      if (isDryRun) markTwins(results);
      else if (results.some(({ result }) => result === 'added')) {
        feed.changed('cameras');
        await plan.write();
      }
      return { results };
    },
  );
}

/** Takes a row's transaction back that was only to show whether it works. */
class DryRun extends Error {}

/** What `POST /api/cameras` would be sent. @throws AppError invalid_argument */
function inputOf({ values, fault }: CameraRow, common: z.infer<typeof credentialsInput> | null): CameraInput {
  if (fault !== undefined) throw appError('invalid_argument', fault);
  const {
    name = '',
    url = '',
    sub_url: subUrl,
    transport,
    tls,
    mode,
    retention_hours: hours,
    onvif_url: onvif,
  } = values;
  if (name === '') throw appError('invalid_argument', 'the name is missing');
  if (url === '') throw appError('invalid_argument', 'the url is missing');
  const hasOwn = parseSourceUrl(url, 'url').credentials !== undefined;
  const username = values.username ?? (hasOwn ? undefined : common?.username);
  const way = { ...(transport === undefined ? {} : { transport }), ...(tls === undefined ? {} : { tls }) };
  const recording = {
    ...(mode === undefined ? {} : { mode }),
    ...(hours === undefined ? {} : { retentionHours: Number(hours) }),
  };
  const parsed = cameraInput.safeParse({
    name,
    source: { kind: 'rtsp', url, ...way },
    ...(username === undefined
      ? {}
      : { credentials: { username, password: values.password ?? common?.password ?? '' } }),
    recording,
    ...(subUrl === undefined ? {} : { sub: { source: { kind: 'rtsp', url: subUrl, ...way } } }),
    ...(onvif === undefined ? {} : { onvif: { url: onvif } }),
  });
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw appError('invalid_argument', `${String(issue?.path.at(-1) ?? 'the line')}: ${issue?.message ?? 'is wrong'}`);
}

/** The same name and address, or the same address under another name. */
function existing(cameras: readonly Camera[], { name, source }: CameraInput): Camera | undefined {
  const url = source.kind === 'rtsp' ? parseSourceUrl(source.url).url : undefined;
  const same = cameras.filter(({ sources: { main } }) => main.source.kind === 'rtsp' && main.source.url === url);
  return same.find((camera) => camera.name === name) ?? same[0];
}

async function requireWorking(
  { source, credentials }: CameraInput,
  tests: CameraTests,
  signalOf: () => AbortSignal,
): Promise<void> {
  if (source.kind !== 'rtsp') return;
  const { url, credentials: inUrl } = parseSourceUrl(source.url);
  const { fault } = await tests.test({ ...source, url, ...(credentials ?? inUrl) }, signalOf);
  if (fault !== undefined) {
    throw appError('unavailable', fault.message, fault.hint === undefined ? {} : { hint: fault.hint });
  }
}

/** Keeps the order of the rows, whatever takes how long. */
async function inOrder<Row, Out>(
  rows: readonly Row[],
  one: (row: Row) => Promise<Out>,
  atOnceMax: number,
): Promise<Out[]> {
  const results = new Array<Out>(rows.length);
  let next = 0;
  const work = async () => {
    for (let i = next++; i < rows.length; i = next++) results[i] = await one(rows[i] as Row);
  };
  await Promise.all(Array.from({ length: Math.min(atOnceMax, rows.length) }, work));
  return results;
}

function resultOf(
  { line, values }: CameraRow,
  { result, camera }: { readonly result: 'added' | 'exists'; readonly camera?: Camera },
): Result {
  const { name = '', url = '' } = values;
  const isOther = result === 'exists' && camera !== undefined && camera.name !== name;
  return {
    ...{ line, name, result, url: cleanUrl(url), hint: null },
    cameraId: camera?.id ?? null,
    message: isOther ? `it is called "${camera.name}"` : null,
  };
}

function refusalOf({ line, values }: CameraRow, thrown: unknown): Result {
  const error = toAppError(thrown);
  if (error.code === 'internal') throw error;
  const { name = '', url = '' } = values;
  return {
    ...{ line, name: name.slice(0, 64), url: cleanUrl(url), result: 'refused', cameraId: null },
    message: error.message,
    hint: error.hint ?? null,
  };
}

/** An address that does not parse is not repeated: nobody knows what is secret in it. */
function cleanUrl(url: string): string {
  try {
    return shownUrl(parseSourceUrl(url).url);
  } catch {
    return '';
  }
}

function markTwins(results: Result[]): void {
  const names = new Map<string, number>();
  const urls = new Map<string, number>();
  for (const [i, result] of results.entries()) {
    if (result.result !== 'added') continue;
    const name = result.name.toLowerCase();
    const twin = urls.get(result.url);
    const namesake = names.get(name);
    if (twin !== undefined) results[i] = { ...result, result: 'exists', message: `as line ${twin}` };
    else if (namesake !== undefined) {
      results[i] = {
        ...result,
        result: 'refused',
        message: `another camera is called "${result.name}": line ${namesake}`,
      };
    } else {
      names.set(name, result.line);
      urls.set(result.url, result.line);
    }
  }
}
