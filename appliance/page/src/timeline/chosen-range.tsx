/** A range that somebody chose on the timeline. */

import { createSignal, Show } from 'solid-js';
import { type ApiFault, call, faultOf, type Span } from '../api.ts';
import { Fault } from '../fault.tsx';
import { bytesText, clockText, dayName, dayTimeText, durationText } from '../format.ts';
import { createMay } from '../frame/session.ts';
import { ConvertedClip } from './converted-clip.tsx';
import { hourMs, lengthOf } from './scale.ts';

const clipMsMax = 24 * hourMs;

/** What can be done with it: played, taken along, kept from deletion. */
export function ChosenRange(props: {
  readonly streamId: string;
  readonly cameraName: string;
  readonly range: Span;
  /** Another form is worth offering: this browser, and so perhaps who gets the file, cannot play what is stored. */
  readonly isConversionOffered: boolean;
  readonly onPlay: () => void;
  /** The playing position becomes its begin or end. */
  readonly onMark: (end: 'begin' | 'end') => void;
  readonly onClear: () => void;
}) {
  const may = createMay();
  const lengthMs = () => lengthOf(props.range);
  const query = () => `begin=${Math.floor(props.range.beginMs)}&end=${Math.ceil(props.range.endMs)}`;
  const address = () => `/api/streams/${props.streamId}/clip.mp4?${query()}`;
  const fileName = () =>
    `${props.cameraName} ${dayName(props.range.beginMs)} ${clockText(props.range.beginMs).replaceAll(':', '-')}`;
  const [bytes, setBytes] = createSignal<number | 'none'>();
  const [keeping, setKeeping] = createSignal<'asking' | 'busy' | 'kept'>();
  const [reason, setReason] = createSignal('');
  const [fault, setFault] = createSignal<ApiFault>();

  // The file's size is known before a byte of it is made.
  if (lengthMs() <= clipMsMax) {
    fetch(address(), { method: 'HEAD' })
      .then((head) => setBytes(head.ok ? Number(head.headers.get('content-length')) : 'none'))
      .catch(() => setBytes(undefined));
  }
  const keep = async (event: Event) => {
    event.preventDefault();
    setKeeping('busy');
    setFault(undefined);
    try {
      const { beginMs, endMs } = props.range;
      const body = { streamId: props.streamId, begin: Math.floor(beginMs), end: Math.ceil(endMs), reason: reason() };
      await call('POST', '/api/holds', body);
      setKeeping('kept');
    } catch (error) {
      setFault(faultOf(error));
      setKeeping('asking');
    }
  };
  const sizeText = () => {
    const size = bytes();
    if (size === 'none') return 'nothing is recorded there';
    return size === undefined ? '' : bytesText(size);
  };
  return (
    <>
      <span class="numbers">
        {dayTimeText(props.range.beginMs)} to {clockText(props.range.endMs)},{' '}
        <strong>{durationText(lengthMs())}</strong>
        <span class="quiet size">{sizeText()}</span>
      </span>
      <button type="button" class="second small" onClick={() => props.onPlay()}>
        Play
      </button>
      <button type="button" class="plain small" title="Key I" onClick={() => props.onMark('begin')}>
        Begin here
      </button>
      <button type="button" class="plain small" title="Key O" onClick={() => props.onMark('end')}>
        End here
      </button>
      <Show when={lengthMs() <= clipMsMax} fallback={<span class="warning">A file may have 24 hours at most.</span>}>
        <Show when={may('streams:export') && bytes() !== 'none'}>
          <a class="button small" download={`${fileName()}.mp4`} href={address()}>
            Download MP4
          </a>
          <Show when={props.isConversionOffered}>
            <ConvertedClip
              address={`${address()}&video=h264`}
              fileName={`${fileName()} H.264.mp4`}
              onFault={setFault}
            />
          </Show>
        </Show>
      </Show>
      <Show when={may('holds:create')}>
        <Show when={keeping() === undefined}>
          <button type="button" class="second small" onClick={() => setKeeping('asking')}>
            Keep from deletion …
          </button>
        </Show>
        <Show when={keeping() === 'asking' || keeping() === 'busy'}>
          <form class="title" onSubmit={(event) => void keep(event)}>
            <input
              class="small"
              name="hold-reason"
              aria-label="Why it is kept"
              placeholder="Why, e.g. police report 12/345"
              minlength="3"
              maxlength="500"
              required
              value={reason()}
              onInput={(event) => setReason(event.currentTarget.value)}
            />
            <button type="submit" class="second small" disabled={keeping() === 'busy'}>
              Keep
            </button>
          </form>
        </Show>
        <Show when={keeping() === 'kept'}>
          <span class="quiet">
            Kept: see{' '}
            <a class="link" href="#/storage">
              Storage
            </a>
            .
          </span>
        </Show>
      </Show>
      <button type="button" class="plain small" onClick={() => props.onClear()}>
        Clear
      </button>
      <Fault fault={fault()} />
    </>
  );
}
