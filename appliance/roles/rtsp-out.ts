/** RTSP out, in the role `serve`: its own listener, and what Prometheus learns of it. The page goes on without it. */

import { Counter, Gauge, type Registry } from 'prom-client';
import type { FragmentSource } from '../../gateway/playback/index.ts';
import { type RtspGate, RtspServer } from '../../gateway/rtsp-server/index.ts';
import { addressGroup } from '../../storage/base/address-group.ts';
import { toAppError } from '../../storage/base/errors.ts';
import type { Lifetime } from '../../storage/base/lifecycle.ts';
import type { LaneClient } from '../../storage/lane/index.ts';
import type { TlsMaterial } from '../admin/index.ts';
import type { RoleContext } from './role-context.ts';

/** A port that another program holds is tried again so often: it may be our own process of a moment ago. */
const retryMs = 10_000;

export type RtspOutParts = {
  readonly gate: RtspGate;
  readonly laneOf: (streamId: string) => LaneClient;
  readonly source: FragmentSource;
  readonly tls: TlsMaterial | undefined;
  readonly registry: Registry;
};

/** Listens as the configuration says; a taken port is an error in the log and tried again, never the end of the role. */
export async function startRtspOut(context: RoleContext, lifetime: Lifetime, parts: RtspOutParts): Promise<void> {
  const { config, clock, log } = context;
  if (!config.rtsp.enabled) return;
  const first = await tryToListen(context, lifetime, parts);
  if (first === undefined) return;
  log.error('rtsp does not listen', { error: first, port: config.rtsp.port, hint: first.hint });
  lifetime.loop(async (signal) => {
    do await clock.sleep(retryMs, signal);
    while ((await tryToListen(context, lifetime, parts)) !== undefined);
  });
}

async function tryToListen({ clock, log, random, config }: RoleContext, lifetime: Lifetime, parts: RtspOutParts) {
  const { registry, ...deps } = parts;
  const { address, port, udpPort } = config.rtsp;
  const host = address ?? config.listen.address;
  const server = new RtspServer({ clock, log, random, ...deps, groupOf: addressGroup }, { host, port, udpPort });
  try {
    await server.start();
  } catch (error) {
    await server.close();
    return toAppError(error);
  }
  lifetime.own(server);
  addMetrics(registry, server);
  log.info('rtsp listens', { port: server.port, isEncrypted: parts.tls !== undefined });
  return undefined;
}

function addMetrics(registry: Registry, server: RtspServer): void {
  const registers = [registry];
  const gauges = {
    connections: 'Connections of RTSP players',
    readers: 'RTSP players that are being sent a stream',
    feeds: 'Streams that RTSP players watch live',
    queuedBytes: 'Bytes that wait for RTSP players',
  } as const;
  for (const [name, help] of Object.entries(gauges) as [keyof typeof gauges, string][]) {
    new Gauge({
      name: `weir_rtsp_${name === 'queuedBytes' ? 'queued_bytes' : name}`,
      ...{ help, registers },
      collect() {
        this.set(server.stats[name]);
      },
    });
  }
  const counters = {
    accepted: ['weir_rtsp_accepted_total', 'Connections of RTSP players that were let in'],
    refused: ['weir_rtsp_refused_total', 'Connections of RTSP players that were refused, as too many were open'],
    droppedUnits: ['weir_rtsp_dropped_units_total', 'Access units that RTSP players were too slow for'],
  } as const;
  for (const [name, [metric, help]] of Object.entries(counters) as [
    keyof typeof counters,
    readonly [string, string],
  ][]) {
    new Counter({
      ...{ name: metric, help, registers },
      collect() {
        this.reset();
        this.inc(server.stats[name]);
      },
    });
  }
}
