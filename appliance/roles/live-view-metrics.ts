/** Live views over WebSockets, for Prometheus. */

import { Counter, Gauge, type Registry } from 'prom-client';
import type { LiveSockets } from '../../gateway/playback/index.ts';

export function addLiveViewMetrics(registry: Registry, live: Pick<LiveSockets, 'figures'>): void {
  const registers = [registry];
  new Gauge({
    ...{ name: 'weir_live_sockets', help: 'Live views over WebSockets that are open', registers },
    collect() {
      this.set(live.figures.sockets);
    },
  });
  new Gauge({
    ...{ name: 'weir_live_socket_streams', help: 'Streams that these views read', registers },
    collect() {
      this.set(live.figures.streams);
    },
  });
  new Counter({
    ...{ name: 'weir_live_socket_parts_dropped_total', help: 'Parts left out for views that were late', registers },
    collect() {
      this.reset();
      this.inc(live.figures.dropped);
    },
  });
}
