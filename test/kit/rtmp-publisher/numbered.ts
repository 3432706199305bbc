/**
 * Publishes the simulated cameras' clip in real time, each picture with its number inside: what was recorded is counted from the
 * stored files (`judgeFrames`).
 */

import { aacTrack, h264Parameters, h265Parameters, isKeyAccessUnit, joinNals } from '../../../storage/media/index.ts';
import { type ClipOptions, clipDefaults, loadClip } from '../camera-simulator/clip.ts';
import { frameNumberNal, writeFrameNumber } from '../camera-simulator/frame-number.ts';
import { RtmpPublisher } from './publisher.ts';
import { tags } from './wire.ts';

export type NumberedPublishing = {
  /** Number of the last picture sent. */
  readonly lastFrame: number;
  /** The server's answer to `publish`. */
  readonly answer: string;
  readonly isGone: boolean;
  end(): void;
  kill(): void;
};

/** The clip's tone: AAC-LC, 48 kHz, mono. */
const audioSpecificConfig = Uint8Array.of(0x11, 0x88);
const audioFrameMs = 1_024 / 48;
const tickMs = 5;

/** Connects and publishes until it is ended; H.265 goes by Enhanced RTMP. */
export async function publishNumbered(options: {
  readonly port: number;
  readonly key: string;
  readonly clip?: Partial<ClipOptions>;
  readonly camera?: number;
  readonly firstFrame?: number;
  /** Of the first picture on RTMP's clock of 32 bits. */
  readonly beginMs?: number;
  /** How much faster than real time. */
  readonly speed?: number;
}): Promise<NumberedPublishing> {
  const { camera = 0, firstFrame = 0, beginMs = 0, speed = 1 } = options;
  const clip = await loadClip({ ...clipDefaults, ...options.clip });
  const { codec, framesPerSecond } = clip.options;
  const publisher = new RtmpPublisher(options);
  const answer = await publisher.publish();
  const state = { lastFrame: firstFrame - 1, nextAudio: 0 };
  const [first, second, third] = clip.parameterSets;
  if (first === undefined || second === undefined) throw new Error('the clip has no parameter sets');
  const isH264 = codec === 'h264';
  const parameters = isH264 ? h264Parameters(first, [second]) : h265Parameters(first, second, third ? [third] : []);
  const { codecPrivate } = parameters;
  publisher.video(
    beginMs,
    isH264 ? tags.avcConfiguration(codecPrivate) : tags.enhancedConfiguration('hvc1', codecPrivate),
  );
  if (clip.audioFrames.length > 0) {
    publisher.audio(beginMs, tags.aacConfiguration(aacTrack(2, audioSpecificConfig).codecPrivate));
  }
  const number = frameNumberNal(codec);
  const startedMs = performance.now();
  const sendDue = () => {
    const ageMs = (performance.now() - startedMs) * speed;
    for (let sent = state.lastFrame + 1 - firstFrame; (sent * 1_000) / framesPerSecond <= ageMs; sent++) {
      state.lastFrame = firstFrame + sent;
      // Numbers that go on after a reconnection begin with a key frame like every other session.
      const nal = Buffer.from(number.nal);
      writeFrameNumber(nal, number.digitsAt, camera, state.lastFrame);
      const unit = joinNals([nal, ...(clip.units[sent % clip.units.length] ?? [])]);
      const isKey = isKeyAccessUnit(codec, unit);
      const atMs = beginMs + Math.round((sent * 1_000) / framesPerSecond);
      publisher.video(atMs, isH264 ? tags.avcFrame(unit, { isKey }) : tags.enhancedFrameX('hvc1', unit, { isKey }));
    }
    for (; clip.audioFrames.length > 0 && state.nextAudio * audioFrameMs <= ageMs; state.nextAudio++) {
      const frame = clip.audioFrames[state.nextAudio % clip.audioFrames.length];
      if (frame !== undefined)
        publisher.audio(beginMs + Math.round(state.nextAudio * audioFrameMs), tags.aacFrame(frame));
    }
  };
  const ticker = answer === 'NetStream.Publish.Start' ? setInterval(sendDue, tickMs) : undefined;
  publisher.socket.on('close', () => clearInterval(ticker));
  return {
    get lastFrame() {
      return state.lastFrame;
    },
    get isGone() {
      return publisher.isGone;
    },
    answer,
    end() {
      clearInterval(ticker);
      publisher.end();
    },
    kill() {
      clearInterval(ticker);
      publisher.kill();
    },
  };
}
