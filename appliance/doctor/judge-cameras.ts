/** Judges what a camera answered. Facts in, verdicts out. */

import type { GapReason } from '../../storage/model/run.ts';
import { type Finding, verdictsOf } from './finding.ts';

export type CameraFacts = {
  readonly name: string;
  readonly role: 'main' | 'sub';
  /** Undefined for a publisher, who comes to us. */
  readonly host: string | undefined;
  /** False for a KVS producer, who sends when it likes. */
  readonly isExpected?: boolean;
  /** How far it came; with a fault how far it did not. */
  readonly connectMs?: number | undefined;
  readonly describeMs?: number | undefined;
  readonly server?: string | undefined;
  /** 'H264, PCMA' as the camera describes them. */
  readonly media?: string | undefined;
  readonly fault?:
    | { readonly reason: GapReason; readonly message: string; readonly hint?: string | undefined }
    | undefined;
  /** What a camera's ONVIF service answered; undefined where it has none. */
  readonly onvif?: { readonly error?: string | undefined; readonly clockOffsetMs?: number | undefined } | undefined;
  /** As the running appliance tells. */
  readonly state?: CameraState | undefined;
};

export type CameraState = {
  readonly state: 'idle' | 'connecting' | 'live' | 'retrying' | 'stopped';
  readonly reason?: string | undefined;
  readonly message?: string | undefined;
  readonly hint?: string | undefined;
  readonly clockOffsetMs?: number | undefined;
  readonly warnings: readonly string[];
};

const clockOffsetMsMax = 10_000;
const slowMs = 2_000;

export function judgeCamera(facts: CameraFacts): Finding[] {
  const subject = facts.role === 'main' ? facts.name : `${facts.name} (sub)`;
  const verdicts = verdictsOf('camera', subject);
  const found = [...judgeSource(facts, subject), ...judgeOnvif(facts, subject)];
  const offsetMs = facts.state?.clockOffsetMs ?? facts.onvif?.clockOffsetMs;
  if (offsetMs !== undefined && Math.abs(offsetMs) > clockOffsetMsMax) {
    const text = `its clock is ${Math.round(Math.abs(offsetMs) / 1000)} s ${offsetMs > 0 ? 'ahead of' : 'behind'} ours`;
    found.push(
      ...verdicts.warning(
        'camera-clock-off',
        text,
        'enter a time server in the camera; with ONVIF the page can set its clock',
      ),
    );
  }
  for (const text of facts.state?.warnings ?? []) {
    found.push(...verdicts.warning('protocol-error', text, 'recording goes on; newer firmware may help'));
  }
  return found;
}

function judgeSource({ host, state, fault, ...facts }: CameraFacts, subject: string): Finding[] {
  const verdicts = verdictsOf('camera', subject);
  if (host === undefined) {
    const { isExpected = true } = facts;
    if (state === undefined) {
      return verdicts.unchecked(
        isExpected ? 'a publisher: it connects to us' : 'a KVS producer: it connects to us, by PutMedia',
      );
    }
    if (state.state === 'live') return verdicts.ok(isExpected ? 'publishes to us' : 'a KVS producer sends to us');
    if (!isExpected) return verdicts.ok('waits for a KVS producer, which sends when it likes');
    return verdicts.warning(
      'no-publisher',
      state.message ?? 'nobody publishes',
      state.hint ?? 'start the encoder, with the address and stream key that the page shows',
    );
  }
  if (fault !== undefined) {
    // A camera of one session refuses a second one: it is well as long as it is recorded.
    if (state?.state === 'live') return verdicts.ok(`is live; a second connection was refused (${fault.message})`);
    return verdicts.fault(fault.reason, fault.message, fault.hint ?? 'look at the page of the runbook');
  }
  if (state !== undefined && state.state !== 'live' && state.state !== 'connecting' && state.state !== 'idle') {
    const text = `it answers, and yet it is not recorded: ${state.message ?? state.state}`;
    return verdicts.fault(state.reason ?? 'source-error', text, state.hint ?? 'look at its page, and at the log');
  }
  const tookMs = (facts.connectMs ?? 0) + (facts.describeMs ?? 0);
  const told = [facts.media, facts.server].filter((text) => text !== undefined && text !== '').join(', ');
  const text = `answers in ${Math.round(tookMs)} ms${told === '' ? '' : ` (${told})`}`;
  return tookMs < slowMs
    ? verdicts.ok(text)
    : verdicts.warning(
        'source-silent',
        `${text}: slowly`,
        'look at the network between, and at how many others watch the camera',
      );
}

function judgeOnvif({ onvif }: CameraFacts, subject: string): Finding[] {
  if (onvif === undefined) return [];
  const verdicts = verdictsOf('camera', `${subject}, ONVIF`);
  if (onvif.error === undefined) return verdicts.ok('answers');
  return verdicts.warning(
    'unreachable',
    onvif.error,
    'see that ONVIF is switched on at the camera, and its port; recording goes on without',
  );
}
