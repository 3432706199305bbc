/**
 * What fingers and the mouse mean on the timeline. Mouse: a click seeks, a drag chooses a range, the wheel zooms, sideways it moves.
 * Touch: a tap seeks, a drag moves, two fingers zoom.
 */

/** A press that moves less than this is a click. */
const dragPixelsMin = 5;
const wheelFactor = 1.0018;
/** Wheels that tell lines or pages instead of pixels (DOM: WheelEvent.deltaMode). */
const pixelsPerUnit = [1, 30, 300];

export type PointerMeanings = {
  /** All in pixels from the left edge. */
  readonly onSeek: (x: number) => void;
  readonly onRange: (fromX: number, toX: number) => void;
  readonly onDragging: (drag: { readonly fromX: number; readonly toX: number } | undefined) => void;
  readonly onMove: (byPixels: number) => void;
  readonly onZoom: (x: number, factor: number) => void;
  readonly onHover: (x: number | undefined) => void;
};

export function pointerHandlers(element: () => HTMLElement | undefined, meanings: PointerMeanings) {
  const pressed = new Map<number, { readonly firstX: number; x: number }>();
  /** More than a tap: with two fingers, or moved. */
  let isGesture = false;
  const xOf = (event: MouseEvent) => {
    const bounds = element()?.getBoundingClientRect();
    return bounds === undefined ? 0 : Math.min(bounds.width, Math.max(0, event.clientX - bounds.left));
  };
  const distance = () => {
    const [one, other] = [...pressed.values()];
    return one === undefined || other === undefined ? 0 : Math.abs(one.x - other.x);
  };
  const middle = () => [...pressed.values()].reduce((sum, { x }) => sum + x, 0) / Math.max(1, pressed.size);

  const onTouchMove = (event: PointerEvent, finger: { readonly firstX: number; x: number }) => {
    const [distanceBefore, middleBefore] = [distance(), middle()];
    finger.x = xOf(event);
    if (Math.abs(finger.x - finger.firstX) >= dragPixelsMin) isGesture = true;
    if (!isGesture) return;
    meanings.onMove(middleBefore - middle());
    if (pressed.size === 2 && distanceBefore > 0 && distance() > 0) {
      meanings.onZoom(middle(), distanceBefore / distance());
    }
  };

  return {
    onPointerDown(event: PointerEvent) {
      if (event.button !== 0) return;
      element()?.setPointerCapture(event.pointerId);
      const x = xOf(event);
      pressed.set(event.pointerId, { firstX: x, x });
      isGesture = pressed.size > 1;
    },
    onPointerMove(event: PointerEvent) {
      const x = xOf(event);
      const press = pressed.get(event.pointerId);
      meanings.onHover(event.pointerType === 'mouse' || !isGesture ? x : undefined);
      if (press === undefined) return;
      if (event.pointerType !== 'mouse') return onTouchMove(event, press);
      press.x = x;
      if (Math.abs(x - press.firstX) >= dragPixelsMin) isGesture = true;
      if (isGesture) meanings.onDragging({ fromX: press.firstX, toX: x });
    },
    onPointerUp(event: PointerEvent) {
      const press = pressed.get(event.pointerId);
      pressed.delete(event.pointerId);
      meanings.onDragging(undefined);
      if (press === undefined) return;
      if (!isGesture) meanings.onSeek(press.firstX);
      else if (event.pointerType === 'mouse') meanings.onRange(press.firstX, xOf(event));
      if (event.pointerType !== 'mouse') meanings.onHover(undefined);
    },
    onPointerCancel(event: PointerEvent) {
      pressed.delete(event.pointerId);
      meanings.onDragging(undefined);
      meanings.onHover(undefined);
    },
    onPointerLeave(event: PointerEvent) {
      if (!pressed.has(event.pointerId)) meanings.onHover(undefined);
    },
    onWheel(event: WheelEvent) {
      event.preventDefault();
      const unit = pixelsPerUnit[event.deltaMode] ?? 1;
      const sideways = event.shiftKey ? event.deltaY : event.deltaX;
      if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) meanings.onMove(sideways * unit);
      else meanings.onZoom(xOf(event), wheelFactor ** (event.deltaY * unit));
    },
  };
}
