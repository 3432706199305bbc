/** The simulator as a process of its own, so that its work is not counted as anybody else's. Talks over IPC. */

import { type ClipOptions, clipDefaults, loadClip } from './clip.ts';
import { CameraSimulator, type SimulatorOptions } from './server.ts';

const options = JSON.parse(process.argv[2] ?? '{}') as SimulatorOptions & {
  clip?: Partial<ClipOptions>;
  port?: number;
};
const clip = await loadClip({ ...clipDefaults, ...options.clip });
const simulator = new CameraSimulator(clip, options);
const beginWallMs = Date.now() - simulator.ageMs;
const port = await simulator.start(options.port ?? 0);
process.send?.({ port, beginWallMs });
type Command = { kind: 'stats' | 'disconnect' | 'leave-out'; camera?: number; durationMs?: number };
process.on('message', ({ kind, camera = 0, durationMs = 0 }: Command) => {
  if (kind === 'stats') process.send?.({ stats: simulator.stats() });
  else if (kind === 'leave-out') simulator.leaveOut(camera, durationMs);
  else simulator.disconnect(camera);
});
process.on('disconnect', () => process.exit(0));
