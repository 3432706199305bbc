/** Judges the machine and the programs on it. Facts in, verdicts out. */

import { type Finding, verdictsOf } from './finding.ts';

export type MachineFacts = {
  /** As in `process.versions.node`. */
  readonly node: string;
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly memoryFreeBytes: number;
  /** How many files a process may have open; undefined: not known, or without a limit. */
  readonly filesMax: number | undefined;
  readonly cameras: number;
};

const nodeMajor = 24;
const gigabyte = 1024 ** 3;
/** Four processes of 60 to 130 MB each, the operating system, and a cache for files. */
const memoryBytesMin = gigabyte;
/** Resident, measured while recording: 400 MB all processes together with 40 cameras. */
const memoryFreeBytesMin = 256 * 1024 ** 2;
/** Sockets, an open segment and a lane of a camera, and what a process has anyway. */
const filesOf = (cameras: number) => 512 + 16 * cameras;

export function judgeMachine(facts: MachineFacts): Finding[] {
  const { node, cpus, memoryBytes, memoryFreeBytes, filesMax, cameras } = facts;
  const machine = verdictsOf('machine', 'memory and processors');
  const isSmall = memoryBytes < memoryBytesMin || memoryFreeBytes < memoryFreeBytesMin;
  const room = `${cpus} processors, ${gigabytes(memoryFreeBytes)} of ${gigabytes(memoryBytes)} memory available`;
  return [
    ...(Number(node.split('.')[0]) >= nodeMajor
      ? verdictsOf('machine', 'node').ok(`Node ${node}`)
      : verdictsOf('machine', 'node').fault(
          'module-missing',
          `this is Node ${node}, and Weir needs ${nodeMajor}`,
          'start Weir by npm start or by the command weir, which bring their own',
        )),
    ...(isSmall
      ? machine.warning('machine-small', room, 'end other programs, or give the machine more memory')
      : machine.ok(room)),
    ...judgeFiles(filesMax, cameras),
  ];
}

/** @param error  why it does not load; undefined when it did */
export function judgeModule(name: string, error: string | undefined): Finding[] {
  const verdicts = verdictsOf('machine', name);
  if (error === undefined) return verdicts.ok('loads');
  return verdicts.fault(
    'module-missing',
    `does not load: ${error}`,
    'run npm start once, which installs what is missing; on another kind of processor remove node_modules first',
  );
}

export type FfmpegFacts = {
  readonly path: string;
  /** Why it does not run; undefined when it does. */
  readonly error: string | undefined;
  readonly version: string;
  readonly decoders: ReadonlySet<string>;
  readonly encoders: ReadonlySet<string>;
  /** What it was built to be fast with: 'vaapi', 'cuda'. Whether the machine has it is another question. */
  readonly hardware: readonly string[];
  /** Devices that are there: /dev/dri/renderD128, /dev/nvidia0. */
  readonly devices: readonly string[];
};

const decodersNeeded = ['h264', 'hevc', 'aac'];
const encodersNeeded = ['mjpeg', 'aac'];
const encodersOfDemo = ['libx264'];

export function judgeFfmpeg(facts: FfmpegFacts): Finding[] {
  const verdicts = verdictsOf('ffmpeg', facts.path);
  if (facts.error !== undefined) {
    return verdicts.warning(
      'tool-missing',
      `does not run (${facts.error}): no pictures, imports and conversions; recording and live view need it not`,
      'install ffmpeg, or name it by ffmpegPath',
    );
  }
  const missing = [
    ...decodersNeeded.filter((name) => !facts.decoders.has(name)).map((name) => `decoder ${name}`),
    ...encodersNeeded.filter((name) => !facts.encoders.has(name)).map((name) => `encoder ${name}`),
    ...encodersOfDemo.filter((name) => !facts.encoders.has(name)).map((name) => `encoder ${name}`),
  ];
  if (missing.length > 0) {
    return verdicts.warning(
      'tool-missing',
      `version ${facts.version} lacks ${missing.join(', ')}`,
      'install an ffmpeg that was built with them: the one of your distribution was',
    );
  }
  const hardware = facts.hardware.length === 0 ? 'no hardware' : `hardware: ${facts.hardware.join(', ')}`;
  const devices = facts.devices.length === 0 ? 'no device for it here' : facts.devices.join(', ');
  return verdicts.ok(`version ${facts.version}, all codecs; ${hardware}; ${devices}`);
}

function judgeFiles(filesMax: number | undefined, cameras: number): Finding[] {
  const verdicts = verdictsOf('machine', 'open files');
  const needed = filesOf(cameras);
  if (filesMax === undefined) return verdicts.ok('without a limit');
  if (filesMax >= needed) return verdicts.ok(`${filesMax} a process`);
  return verdicts.warning(
    'machine-small',
    `a process may have ${filesMax} files open, ${cameras} cameras may need ${needed}`,
    'raise it: LimitNOFILE=65536 in the service, or ulimit -n before the start',
  );
}

export function gigabytes(bytes: number): string {
  return `${(bytes / gigabyte).toFixed(1)} GiB`;
}
