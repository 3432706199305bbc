/** The newest key frame as JPEG, read again every few seconds while it can be seen and the camera is live. */

import { createSignal, onCleanup, Show } from 'solid-js';

const picturePeriodMs = 5_000;

export function LivePicture(props: { readonly streamId: string | undefined; readonly isLive: boolean }) {
  const [turn, setTurn] = createSignal(Date.now());
  const [hasPicture, setHasPicture] = createSignal(false);
  const [isSeen, setSeen] = createSignal(false);
  const watcher = new IntersectionObserver((entries) => setSeen(entries.some((entry) => entry.isIntersecting)), {
    rootMargin: '200px',
  });
  // Not all at the same moment: a hundred tiles are spread over the period.
  let timer = setTimeout(renew, Math.random() * picturePeriodMs);
  function renew() {
    if (props.isLive && isSeen() && !document.hidden) setTurn(Date.now());
    timer = setTimeout(renew, picturePeriodMs);
  }
  onCleanup(() => {
    clearTimeout(timer);
    watcher.disconnect();
  });
  const address = () => (isSeen() || hasPicture() ? props.streamId : undefined);
  return (
    <div class="picture" ref={(element) => watcher.observe(element)}>
      <Show when={address()}>
        {(streamId) => (
          <img
            src={`/api/streams/${streamId()}/image.jpg?width=480&turn=${turn()}`}
            alt=""
            classList={{ old: !props.isLive, absent: !hasPicture() }}
            onLoad={() => setHasPicture(true)}
            onError={() => setHasPicture(false)}
          />
        )}
      </Show>
      <Show when={!hasPicture()}>
        <span>{props.isLive ? 'First picture is on its way …' : 'No picture'}</span>
      </Show>
    </div>
  );
}
