/** Tells when nobody has pointed at something, touched it or gone to it by key for a while: what lies over a picture goes then. */

import { type Accessor, createSignal, onCleanup, onMount } from 'solid-js';

const restMs = 3_000;

/**
 * A finger that lands on something idle only brings it back: what it would have pressed was not to be seen.
 *
 * @returns whether it is idle, and a way to begin anew
 */
export function createIdle(element: Accessor<HTMLElement | undefined>): {
  readonly isIdle: Accessor<boolean>;
  readonly wake: () => void;
} {
  const [isIdle, setIdle] = createSignal(false);
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isWaking = false;
  const wake = () => {
    clearTimeout(timer);
    setIdle(false);
    timer = setTimeout(() => setIdle(true), restMs);
  };
  const onDown = (event: PointerEvent) => {
    isWaking = isIdle() && event.pointerType !== 'mouse';
    wake();
  };
  const onClick = (event: Event) => {
    if (!isWaking) return;
    isWaking = false;
    event.preventDefault();
    event.stopPropagation();
  };
  onMount(() => {
    const watched = element();
    if (watched === undefined) return;
    watched.addEventListener('pointermove', wake);
    watched.addEventListener('pointerdown', onDown);
    watched.addEventListener('keydown', wake);
    watched.addEventListener('focusin', wake);
    watched.addEventListener('click', onClick, { capture: true });
    wake();
  });
  onCleanup(() => clearTimeout(timer));
  return { isIdle, wake };
}
