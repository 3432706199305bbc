/** The newest key frame as JPEG, read again every few seconds while it can be seen and the camera is live. */

import { createEffect, createSignal, on, onCleanup, Show } from 'solid-js';

const picturePeriodMs = 5_000;

export function LivePicture(props: { readonly streamId: string | undefined; readonly isLive: boolean }) {
  /** The last one stays until the next is there: one that cannot be had leaves no hole. */
  const [picture, setPicture] = createSignal<HTMLImageElement>();
  const [isSeen, setSeen] = createSignal(false);
  const watcher = new IntersectionObserver((entries) => setSeen(entries.some((entry) => entry.isIntersecting)), {
    rootMargin: '200px',
  });
  let asked: HTMLImageElement | undefined;
  const ask = () => {
    const { streamId } = props;
    if (streamId === undefined || asked !== undefined) return;
    const next = new Image();
    asked = next;
    next.alt = '';
    next.onload = () => {
      if (asked === next) setPicture(next);
      asked = undefined;
    };
    next.onerror = () => {
      asked = undefined;
    };
    next.src = `/api/streams/${streamId}/image.jpg?width=480&turn=${Date.now()}`;
  };
  const drop = () => {
    if (asked === undefined) return;
    asked.onload = null;
    asked.onerror = null;
    asked.src = '';
    asked = undefined;
  };
  // Not all at the same moment: a hundred tiles are spread over the period.
  let timer = setTimeout(renew, Math.random() * picturePeriodMs);
  function renew() {
    if (props.isLive && isSeen() && !document.hidden) ask();
    timer = setTimeout(renew, picturePeriodMs);
  }
  createEffect(on([() => props.streamId, isSeen, () => props.isLive], () => isSeen() && ask()));
  onCleanup(() => {
    clearTimeout(timer);
    watcher.disconnect();
    drop();
  });
  return (
    <div class="picture" classList={{ old: !props.isLive }} ref={(element) => watcher.observe(element)}>
      <Show when={picture()} fallback={<span>{props.isLive ? 'First picture is on its way …' : 'No picture'}</span>}>
        {picture()}
      </Show>
    </div>
  );
}
