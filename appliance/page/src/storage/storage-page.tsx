/** What is stored, how long it lasts, what goes when, and what must stay. */

import { createMemo, createResource, createSignal, For, onCleanup, Show } from 'solid-js';
import { type ApiFault, type Camera, call, faultOf } from '../api.ts';
import type { Events } from '../events.ts';
import { Fault, sentence } from '../fault.tsx';
import { bytesText, longText } from '../format.ts';
import { createDeepSignal } from '../frame/deep-signal.ts';
import { createMay, createNow } from '../frame/session.ts';
import { CameraStorage, type StoredCamera } from './camera-storage.tsx';
import { bytesPerDayOf, cameraForecast, daysUntilFull, type Flow, storedBytesOf } from './forecast.ts';
import { Holds } from './holds.tsx';
import { streamRate } from './stream-rate.ts';
import type { Keeper, LatelyStream, StoredStream, System } from './system.ts';

const readPeriodMs = 15_000;
/** A week's counts change little, and are counted anew for each answer. */
const latelyPeriodMs = 300_000;
const dayMs = 86_400_000;

export function StoragePage(props: {
  readonly cameras: readonly Camera[];
  readonly events: Events;
  readonly holdsChanged: number;
  readonly onChanged: () => void;
}) {
  const may = createMay();
  const nowMs = createNow(readPeriodMs);
  const [streams, { refetch: streamsAgain }] = createResource(
    async () => (await call<{ streams: StoredStream[] }>('GET', '/api/streams')).streams,
    { storage: createDeepSignal },
  );
  const [lately, { refetch: latelyAgain }] = createResource(async () => {
    const { streams: known } = await call<{ streams: LatelyStream[] }>('GET', '/api/streams/lately');
    return new Map(known.map((one) => [one.id, one]));
  });
  const [system, { refetch: systemAgain }] = createResource(
    () => may('system:read'),
    () => call<System>('GET', '/api/system'),
    { storage: createDeepSignal },
  );
  const again = () => {
    void streamsAgain();
    void systemAgain();
  };
  const timer = setInterval(() => !document.hidden && again(), readPeriodMs);
  const latelyTimer = setInterval(() => !document.hidden && void latelyAgain(), latelyPeriodMs);
  onCleanup(() => {
    clearInterval(timer);
    clearInterval(latelyTimer);
  });

  /** Undefined while it cannot be told: then nothing is foretold. */
  const countsOf = (id: string) => (lately.error === undefined ? lately.latest?.get(id) : undefined);
  const stored = createMemo(() => storedCameras(props.cameras, streams.latest ?? [], countsOf));
  const flows = () => stored().map(({ flow }) => flow);
  const storedBytes = () => flows().reduce((sum, flow) => sum + storedBytesOf(flow), 0);
  const perDay = () => flows().reduce((sum, flow) => sum + (bytesPerDayOf(flow) ?? 0), 0);
  const unknown = () => flows().filter((flow) => bytesPerDayOf(flow) === undefined).length;
  const unknownNote = () => {
    if (unknown() === 0) return '';
    return `without ${unknown() === 1 ? 'a camera' : `${unknown()} cameras`} of which it is not known yet`;
  };
  /** A sum that leaves all cameras out says nothing. */
  const sumText = (bytes: number) => {
    if (unknown() > 0 && bytes === 0) return 'not known yet';
    return bytes === Infinity ? 'no end' : bytesText(bytes);
  };
  const endBytes = () =>
    flows()
      .filter((flow) => bytesPerDayOf(flow) !== undefined)
      .reduce((sum, flow) => sum + cameraForecast(flow).endBytes, 0);
  /** What all recordings may take: the bound that was set, or what lies there and what is free. */
  const placeBytes = () => {
    const known = system.latest;
    const free = known?.keeper?.storeSpace?.freeBytes;
    const byDisk = free === undefined ? undefined : storedBytes() + free;
    if (known?.storageBytesMax == null) return byDisk;
    return Math.min(known.storageBytesMax, byDisk ?? Number.POSITIVE_INFINITY);
  };
  const fullDays = () => {
    const place = placeBytes();
    return place === undefined ? undefined : daysUntilFull(flows(), place);
  };
  const roomText = () => (fullDays() === null && unknown() > 0 ? 'not known yet' : fullText(fullDays()));

  return (
    <>
      <h1>Storage</h1>
      <Fault fault={streams.error === undefined ? undefined : faultOf(streams.error)} />
      <div class="figures">
        <Figure name="Stored" value={bytesText(storedBytes())} />
        <Figure name="Added each day" value={sumText(perDay())} note={unknownNote()} />
        <Figure name="Needed to keep all days" value={sumText(endBytes())} note={unknownNote()} />
        <Show when={may('system:read')}>
          <Figure
            name={placeBytes() === undefined ? 'Room' : `Room for recordings: ${bytesText(placeBytes() ?? 0)}`}
            value={roomText()}
            isBad={fullDays() != null}
            note={fullDays() == null ? '' : 'then the oldest footage goes before its days are over'}
          />
        </Show>
      </div>
      <Show when={system.latest}>
        {(known) => (
          <>
            <Problems keeper={known().keeper} fault={known().keeperFault} onChanged={again} />
            <Places system={known()} />
          </>
        )}
      </Show>
      <CameraStorage cameras={stored()} nowMs={nowMs()} onChanged={props.onChanged} />
      <Show when={may('holds:read')}>
        <Holds cameras={props.cameras} streams={streams.latest ?? []} nowMs={nowMs()} changed={props.holdsChanged} />
      </Show>
    </>
  );
}

function Figure(props: {
  readonly name: string;
  readonly value: string;
  readonly isBad?: boolean;
  readonly note?: string;
}) {
  return (
    <div class="card figure">
      <span class="quiet">{props.name}</span>
      <strong classList={{ warning: props.isBad ?? false }}>{props.value}</strong>
      <span class="quiet">{props.note}</span>
    </div>
  );
}

function fullText(days: number | null | undefined): string {
  if (days === undefined) return '–';
  if (days === null) return 'enough';
  return days < 1 / 24 ? 'full' : `full in ${longText(days * dayMs)}`;
}

/** What a person should look at, with the button where one of them waits for a person. */
function Problems(props: {
  readonly keeper: Keeper | null;
  readonly fault: string | null;
  readonly onChanged: () => void;
}) {
  const may = createMay();
  const [fault, setFault] = createSignal<ApiFault>();
  const act = async (path: string) => {
    setFault(undefined);
    try {
      await call('POST', path);
      props.onChanged();
    } catch (error) {
      setFault(faultOf(error));
    }
  };
  return (
    <>
      <Show when={props.fault}>
        {(message) => (
          <Fault fault={{ code: 'unavailable', message: `what is stored cannot be told just now: ${message()}` }} />
        )}
      </Show>
      <Show when={props.keeper?.clock.isTrusted === false}>
        <div class="fault" role="alert">
          <strong>Nothing is removed by age, since the clock is in doubt.</strong>
          <span>
            {sentence(props.keeper?.clock.reason ?? '')} Now it is {new Date().toLocaleString()} here. If the machine's
            clock is right, say so.
          </span>
          <Show when={may('system:confirm-clock')}>
            <button type="button" class="second small start" onClick={() => void act('/api/system/clock/confirm')}>
              The clock is right
            </button>
          </Show>
        </div>
      </Show>
      <For each={props.keeper?.problems.filter(({ code }) => code !== 'clock-doubt')}>
        {(problem) => (
          <div class="fault" role="alert">
            <strong>{sentence(problem.message)}</strong>
            <span>
              <Show when={problem.hint}>{(hint) => <>{sentence(hint())}</>}</Show>{' '}
              <Show when={problem.help}>
                {(help) => (
                  <a class="link" href={help()} target="_blank" rel="noopener">
                    What to do
                  </a>
                )}
              </Show>
            </span>
            <Show when={problem.code === 'store-another' && may('system:adopt-store')}>
              <button type="button" class="second small start" onClick={() => void act('/api/system/store/adopt')}>
                It is ours from now on
              </button>
            </Show>
          </div>
        )}
      </For>
      <Fault fault={fault()} />
    </>
  );
}

function Places(props: { readonly system: System }) {
  const keeper = () => props.system.keeper;
  return (
    <section class="card">
      <h2>Disks</h2>
      <div class="places">
        <For each={props.system.disks}>
          {(disk) => {
            const used = () => disk.bytesTotal - disk.bytesFree;
            return (
              <div class="place">
                <div class="title">
                  <strong>{sentence(disk.places.join(', ')).replace(/\.$/, '')}</strong>
                  <code class="quiet">{disk.path}</code>
                  <span class="grow" />
                  <span class="numbers">
                    {bytesText(disk.bytesFree)} free of {bytesText(disk.bytesTotal)}
                  </span>
                </div>
                <progress
                  aria-label={`${disk.places.join(', ')} in use`}
                  max={disk.bytesTotal}
                  value={used()}
                  classList={{ tight: disk.bytesFree < disk.bytesTotal * 0.05 }}
                />
              </div>
            );
          }}
        </For>
      </div>
      <Show when={keeper()}>
        {(known) => (
          <p class="quiet">
            {known().store.state === 'well'
              ? 'Finished files are moved to the store.'
              : `The store of finished files: ${sentence(known().store.message ?? known().store.state)}`}{' '}
            {known().backlog.segments === 0
              ? 'None is waiting.'
              : `${known().backlog.segments.toLocaleString()} files (${bytesText(known().backlog.bytes)}) are waiting.`}
          </p>
        )}
      </Show>
    </section>
  );
}

/** Cameras, and removed ones as long as footage of them is left. */
function storedCameras(
  cameras: readonly Camera[],
  streams: readonly StoredStream[],
  countsOf: (id: string) => LatelyStream | undefined,
): StoredCamera[] {
  const byCamera = Map.groupBy(streams, ({ cameraId }) => cameraId);
  const rateOf = (stored: StoredStream, camera: Camera | undefined) => {
    const lately = countsOf(stored.id);
    const own = stored.role === 'sub' ? camera?.sub : camera;
    const isOn = camera?.isEnabled === true && !stored.isRemoved;
    return streamRate({
      ...{ stored, lately, recording: isOn ? own?.recording : undefined, isFetched: own?.source.kind === 'rtsp' },
      nowMs: lately?.days.at(-1)?.endMs ?? 0,
    });
  };
  const known = cameras.map((camera) => {
    const own = byCamera.get(camera.id) ?? [];
    byCamera.delete(camera.id);
    const rates = own.map((stream) => rateOf(stream, camera));
    const flow: Flow = { streams: rates, bytesMax: camera.recording.bytesMax };
    return { id: camera.id, name: camera.name, camera, streams: own, flow };
  });
  const gone = [...byCamera]
    .map(([id, own]) => ({
      id,
      name: `${own[0]?.cameraName ?? own[0]?.name ?? id}, removed`,
      camera: undefined,
      streams: own,
      flow: { streams: own.map((stream) => rateOf(stream, undefined)), bytesMax: null },
    }))
    .filter(({ flow }) => storedBytesOf(flow) > 0);
  return [...known, ...gone];
}
