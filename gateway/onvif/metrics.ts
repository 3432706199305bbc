/** What is measured of cameras by ONVIF. */

import { Counter, Gauge, type Registry } from 'prom-client';
import type { EventSink } from './events/event-sink.ts';
import type { Onvif } from './onvif.ts';

/** Event streams by state, clocks, and events that were dropped; read when somebody asks. */
export function registerOnvifMetrics(deps: { readonly onvif: Onvif; readonly registry: Registry }): void {
  const { onvif, registry } = deps;
  const registers = [registry];
  new Gauge({
    name: 'weir_onvif_events_heard',
    help: 'Whether events of a camera are heard (1) or not (0); cameras without events are left out',
    labelNames: ['camera'],
    registers,
    collect() {
      this.reset();
      for (const { planned, eventState } of onvif.cameras) {
        if (eventState.state !== 'unsupported') {
          this.set({ camera: planned.cameraId }, eventState.state === 'listening' ? 1 : 0);
        }
      }
    },
  });
  new Gauge({
    name: 'weir_onvif_clock_offset_seconds',
    help: "A camera's clock minus ours, as ONVIF told it",
    labelNames: ['camera'],
    registers,
    collect() {
      this.reset();
      for (const { planned, clock } of onvif.cameras) {
        if (clock !== undefined) this.set({ camera: planned.cameraId }, clock.offsetMs / 1_000);
      }
    },
  });
  new Gauge({
    name: 'weir_onvif_events_dropped',
    help: 'Events of a camera that came too many to be kept, since the camera was added or changed',
    labelNames: ['camera'],
    registers,
    collect() {
      this.reset();
      for (const { planned, eventState } of onvif.cameras) {
        this.set({ camera: planned.cameraId }, eventState.droppedEvents);
      }
    },
  });
}

/** Counts what goes through. */
export function countedSink(sink: EventSink, registry: Registry): EventSink {
  const counter = new Counter({
    name: 'weir_onvif_events_total',
    help: 'Events that cameras told and that began',
    labelNames: ['camera', 'kind'],
    registers: [registry],
  });
  return {
    began(range) {
      counter.inc({ camera: range.cameraId, kind: range.kind });
      sink.began(range);
    },
    ended: (range, end) => sink.ended(range, end),
  };
}
