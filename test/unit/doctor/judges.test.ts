import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Finding, sorted, worstOf } from '../../../appliance/doctor/finding.ts';
import { judgeAppliance } from '../../../appliance/doctor/judge-appliance.ts';
import { type CameraFacts, judgeCamera } from '../../../appliance/doctor/judge-cameras.ts';
import { judgeClock } from '../../../appliance/doctor/judge-clock.ts';
import { type DiskFacts, judgeDisk, judgeSharing, judgeStuckDisk } from '../../../appliance/doctor/judge-disks.ts';
import { judgeFfmpeg, judgeMachine, judgeModule } from '../../../appliance/doctor/judge-machine.ts';
import { judgeName, judgePort } from '../../../appliance/doctor/judge-network.ts';
import {
  type CertificateFacts,
  judgeCertificate,
  judgeDatabase,
  judgeStore,
} from '../../../appliance/doctor/judge-parts.ts';
import { kindOf } from '../../../appliance/doctor/look-disk.ts';
import { listeningInodes } from '../../../appliance/doctor/look-port.ts';
import { runbookCodes } from '../../../appliance/runbook/index.ts';

const gib = 1024 ** 3;
const dayMs = 86_400_000;
const nowMs = Date.UTC(2026, 5, 1);

const disk: DiskFacts = {
  path: '/srv/weir',
  places: ['journal'],
  isThere: true,
  writeError: undefined,
  freeBytes: 500 * gib,
  totalBytes: 1000 * gib,
  freeInodes: 900_000,
  totalInodes: 1_000_000,
  kind: 'ext4',
  device: 1,
  syncMs: 8,
};

const certificate: CertificateFacts = {
  path: '/etc/weir.crt',
  nowMs,
  error: undefined,
  notBeforeMs: nowMs - dayMs,
  notAfterMs: nowMs + 90 * dayMs,
  names: ['weir.example.org', '*.site.example.org'],
  namesWanted: ['weir.example.org'],
  isKeyMatching: true,
  isOwn: false,
};

const camera: CameraFacts = {
  name: 'Gate',
  role: 'main',
  host: '10.0.0.1',
  connectMs: 3,
  describeMs: 20,
  media: 'H264',
};

/** Verdict and code of each: what scripts decide by. */
const told = (findings: readonly Finding[]) =>
  findings.map(({ verdict, code }) => (code === undefined ? verdict : `${verdict} ${code}`));

test('a disk that is well is well, and whatever is wrong with one is told by its own code', () => {
  expect(told(judgeDisk(disk))).toEqual(['ok']);
  expect(told(judgeDisk({ ...disk, freeBytes: gib / 2 }))).toEqual(['warning journal-disk-filling']);
  expect(told(judgeDisk({ ...disk, freeInodes: 10 }))).toEqual(['warning inodes-filling']);
  expect(told(judgeDisk({ ...disk, kind: 'nfs4' }))).toEqual(['fault network-disk']);
  expect(told(judgeDisk({ ...disk, kind: 'nfs4', places: ['objects'] }))).toEqual(['warning network-disk']);
  expect(told(judgeDisk({ ...disk, syncMs: 900 }))).toEqual(['warning disk-slow']);
  expect(told(judgeDisk({ ...disk, syncMs: 3_000 }))).toEqual(['fault disk-slow']);
  const refused = (errno: string) => told(judgeDisk({ ...disk, writeError: { errno, message: errno } }));
  expect(refused('ENOSPC')).toEqual(['fault journal-disk-filling']);
  expect(refused('EROFS')).toEqual(['fault disk-errors']);
  expect(refused('EACCES')).toEqual(['fault disk-errors']);
  expect(refused('EIO')).toEqual(['fault disk-errors']);
  expect(told(judgeStuckDisk('/mnt', 8, { code: 'deadline_exceeded', message: '' }))).toEqual(['fault disk-errors']);
});

test('file systems without a table of inodes are not short of them', () => {
  expect(told(judgeDisk({ ...disk, kind: 'btrfs', freeInodes: 0, totalInodes: 0 }))).toEqual(['ok']);
});

test('a spare journal on the disk of the journal is no spare', () => {
  const spare: DiskFacts = { ...disk, path: '/srv/spare', places: ['spare journal'] };
  const objects: DiskFacts = { ...disk, path: '/mnt/objects', places: ['objects'], device: 2 };

  expect(told(judgeSharing([disk, spare, objects]))).toEqual(['ok', 'warning journal-away']);
  expect(told(judgeSharing([disk, { ...spare, device: 3 }, objects]))).toEqual(['ok']);
});

test('the machine: an old Node, little memory and few files are told, each for itself', () => {
  const well = {
    node: '24.3.0',
    cpus: 2,
    memoryBytes: 4 * gib,
    memoryFreeBytes: 2 * gib,
    filesMax: 65_536,
    cameras: 40,
  };

  expect(told(judgeMachine(well))).toEqual(['ok', 'ok', 'ok']);
  expect(told(judgeMachine({ ...well, node: '22.1.0' }))[0]).toBe('fault module-missing');
  expect(told(judgeMachine({ ...well, memoryFreeBytes: 1 }))[1]).toBe('warning machine-small');
  expect(told(judgeMachine({ ...well, filesMax: 1_024 }))[2]).toBe('warning machine-small');
  expect(told(judgeMachine({ ...well, filesMax: 1_024, cameras: 4 }))[2]).toBe('ok');
  expect(told(judgeModule('better-sqlite3', 'invalid ELF header'))).toEqual(['fault module-missing']);
});

test('ffmpeg: absent, poor and whole', () => {
  const all = new Set(['h264', 'hevc', 'aac', 'mjpeg', 'libx264']);
  const well = {
    path: 'ffmpeg',
    error: undefined,
    version: '7.1',
    decoders: all,
    encoders: all,
    hardware: [],
    devices: [],
  };

  expect(told(judgeFfmpeg(well))).toEqual(['ok']);
  expect(told(judgeFfmpeg({ ...well, error: 'there is no such program' }))).toEqual(['warning tool-missing']);
  const [poor] = judgeFfmpeg({ ...well, decoders: new Set(['h264', 'aac']) });
  expect(poor?.text).toContain('decoder hevc');
});

test('ports: free, ours, taken, and nobody there although Weir runs', () => {
  const port = { purpose: 'RTSP', key: 'rtsp.port', port: 8554, isExpected: true };

  expect(told(judgePort({ ...port, holder: 'ours' }))).toEqual(['ok']);
  expect(told(judgePort({ ...port, holder: 'free' }))).toEqual(['fault role-away']);
  expect(told(judgePort({ ...port, holder: 'free', isExpected: false }))).toEqual(['ok']);
  const [taken] = judgePort({ ...port, holder: 'other', who: 'process 7 (nginx)' });
  expect(taken).toMatchObject({ verdict: 'fault', code: 'port-taken', text: expect.stringContaining('nginx') });
});

test('the clock: before this release, behind its own footage, without a time server', () => {
  const clock = { nowMs, teller: 'chrony', isSynchronised: true, newestFootageMs: nowMs - 1_000 };

  expect(told(judgeClock(clock))).toEqual(['ok']);
  expect(told(judgeClock({ ...clock, nowMs: 0 }))).toEqual(['fault clock-doubt']);
  expect(told(judgeClock({ ...clock, newestFootageMs: nowMs + 3_600_000 }))).toEqual(['fault clock-doubt']);
  expect(told(judgeClock({ ...clock, isSynchronised: false }))).toEqual(['warning clock-unsynchronised']);
  expect(told(judgeClock({ ...clock, teller: undefined, isSynchronised: undefined }))).toEqual(['unchecked']);
});

test('certificates: ended, ending, not begun, of another key, of another name', () => {
  expect(told(judgeCertificate(certificate))).toEqual(['ok']);
  expect(told(judgeCertificate({ ...certificate, notAfterMs: nowMs - 1 }))).toEqual(['fault certificate-expiring']);
  expect(told(judgeCertificate({ ...certificate, notAfterMs: nowMs + dayMs }))).toEqual([
    'warning certificate-expiring',
  ]);
  expect(told(judgeCertificate({ ...certificate, notBeforeMs: nowMs + 1 }))).toEqual(['fault certificate-wrong']);
  expect(told(judgeCertificate({ ...certificate, isKeyMatching: false }))).toEqual(['fault certificate-wrong']);
  const named = (namesWanted: string[]) => told(judgeCertificate({ ...certificate, namesWanted }));
  expect(named(['a.site.example.org'])).toEqual(['ok']);
  expect(named(['a.b.site.example.org'])).toEqual(['warning certificate-wrong']);
});

test('databases and store', () => {
  const database = {
    name: 'index',
    path: '/d',
    isThere: true,
    error: undefined,
    check: 'ok',
    version: 3,
    byteLength: 1,
  } as const;
  expect(told(judgeDatabase(database))).toEqual(['ok']);
  expect(told(judgeDatabase({ ...database, check: 'row 7 missing' }))).toEqual(['fault database-damaged']);
  expect(told(judgeDatabase({ ...database, check: undefined }))).toEqual(['unchecked']);

  const store = { name: 's3', isMade: true, failed: undefined, durationMs: 4 };
  const failed = { step: 'put', code: 'permission_denied', message: 'the keys are wrong' } as const;
  expect(told(judgeStore(store))).toEqual(['ok']);
  expect(told(judgeStore({ ...store, failed }))).toEqual(['fault store-away']);
  expect(told(judgeStore({ ...store, failed: { ...failed, code: 'resource_exhausted' } }))).toEqual([
    'fault store-disk-filling',
  ]);
});

test('a camera that is live and refuses a second connection is well', () => {
  const fault = { reason: 'refused', message: 'the camera has no stream to give', hint: 'restart it' } as const;
  const live = { state: 'live', warnings: [] } as const;

  expect(told(judgeCamera({ ...camera, fault }))).toEqual(['fault refused']);
  expect(told(judgeCamera({ ...camera, fault, state: live }))).toEqual(['ok']);
});

test('a camera tells of its clock, of ONVIF, and of what recording warns of', () => {
  const state = { state: 'live', warnings: ['restarts its stream'], clockOffsetMs: -60_000 } as const;

  const findings = judgeCamera({ ...camera, state, onvif: { error: 'refused the connection' } });

  expect(told(findings)).toEqual(['ok', 'warning unreachable', 'warning camera-clock-off', 'warning protocol-error']);
  expect(findings[2]?.text).toContain('60 s behind');
});

test('an appliance that does not run is no fault; one that does not answer is', () => {
  expect(told(judgeAppliance({ kind: 'off' }))).toEqual(['unchecked']);
  expect(told(judgeAppliance({ kind: 'mute', message: 'no answer' }))).toEqual(['fault role-away']);
});

test('names resolve or are told with who needs them', () => {
  const name = { host: 'cam', users: ['a', 'b', 'c', 'd', 'e'], error: 'ENOTFOUND', addresses: [] };

  const [finding] = judgeName(name);

  expect(finding).toMatchObject({
    verdict: 'fault',
    code: 'name-unresolved',
    text: expect.stringContaining('and 2 more'),
  });
});

test('what is wrong always has a next step and a page of the runbook', () => {
  const pages = runbookCodes();
  fc.assert(
    fc.property(
      fc.record({
        ...{ path: fc.constant('/x'), isThere: fc.boolean(), device: fc.nat(3) },
        places: fc.subarray(['data', 'journal', 'spare journal', 'objects'] as const, { minLength: 1 }),
        writeError: fc.option(
          fc.record({ errno: fc.constantFrom('ENOSPC', 'EROFS', 'EPERM', 'EIO'), message: fc.string() }),
          { nil: undefined },
        ),
        freeBytes: fc.nat(2 * gib),
        totalBytes: fc.nat(),
        freeInodes: fc.nat(),
        totalInodes: fc.nat(),
        kind: fc.constantFrom('ext4', 'nfs', 'tmpfs', 'cifs'),
        syncMs: fc.option(fc.nat(5_000), { nil: undefined }),
      }),
      (facts) => {
        for (const { verdict, next, code } of judgeDisk(facts)) {
          if (verdict === 'ok' || verdict === 'unchecked') continue;
          expect(next).toBeTruthy();
          expect(pages).toContain(code);
        }
      },
    ),
  );
});

test('the worst comes first within its area, and decides', () => {
  const findings: Finding[] = [
    { area: 'camera', subject: 'a', verdict: 'ok', text: '' },
    { area: 'camera', subject: 'b', verdict: 'fault', text: '' },
    { area: 'disk', subject: 'c', verdict: 'warning', text: '' },
  ];

  expect(sorted(findings).map(({ subject }) => subject)).toEqual(['c', 'b', 'a']);
  expect(worstOf(findings)).toBe('fault');
  expect(worstOf(findings.slice(2))).toBe('warning');
  expect(worstOf([])).toBe('ok');
});

test('the kind of a file system is that of the longest mount point above a path', () => {
  const mounts = [
    '22 1 8:1 / / rw - ext4 /dev/sda1 rw',
    '30 22 0:40 / /mnt/a\\040b rw shared:1 - nfs4 nas:/x rw',
    '31 22 0:41 / /mnt rw - xfs /dev/sdb rw',
  ].join('\n');

  expect([kindOf(mounts, '/mnt/a b/c'), kindOf(mounts, '/mnt/abc'), kindOf(mounts, '/srv')]).toEqual([
    'nfs4',
    'xfs',
    'ext4',
  ]);
});

test('sockets that listen on a port are found by state and port', () => {
  const table = `  sl  local_address rem_address   st
   0: 00000000:216A 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4242 1
   1: 0100007F:216A 0100007F:9999 01 00000000:00000000 00:00000000 00000000     0        0 4343 1`;

  expect(listeningInodes(table, 8554)).toEqual(['4242']);
});
