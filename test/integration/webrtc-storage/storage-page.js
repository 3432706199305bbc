/** One peer of a storage session, in a page: it answers offers and tells what arrives. Signalling is the test's business. */

const peer = {
  /** @type {RTCPeerConnection | undefined} */
  connection: undefined,

  /** The answer to an offer. `sends` are the kinds of media that go out; a tone of its own height is the sound. */
  async answer({ offer, sends, toneHz = 440 }) {
    peer.connection?.close();
    const connection = new RTCPeerConnection();
    peer.connection = connection;
    connection.addEventListener('track', ({ track }) => {
      const element = Object.assign(document.createElement(track.kind), { autoplay: true });
      element.srcObject = new MediaStream([track]);
      document.body.append(element);
    });
    for (const kind of sends) connection.addTrack(kind === 'video' ? await peer.picture() : peer.tone(toneHz));
    await connection.setRemoteDescription({ type: 'offer', sdp: offer });
    await connection.setLocalDescription(await connection.createAnswer());
    return connection.localDescription.sdp;
  },

  async picture() {
    const media = await navigator.mediaDevices.getUserMedia({ video: { width: 320, height: 240, frameRate: 15 } });
    return media.getVideoTracks()[0];
  },

  tone(frequency) {
    const context = new AudioContext();
    const oscillator = new OscillatorNode(context, { frequency });
    const output = context.createMediaStreamDestination();
    oscillator.connect(new GainNode(context, { gain: 0.2 })).connect(output);
    oscillator.start();
    return output.stream.getAudioTracks()[0];
  },

  /** How loud a tone is in what arrives, 0..255, by its neighbourhood in the spectrum. */
  async hears(frequencies) {
    const receiver = peer.connection.getReceivers().find(({ track }) => track.kind === 'audio');
    peer.context ??= new AudioContext();
    if (peer.heard !== receiver.track) {
      peer.heard = receiver.track;
      peer.analyser = new AnalyserNode(peer.context, { fftSize: 8192, smoothingTimeConstant: 0 });
      peer.context.createMediaStreamSource(new MediaStream([receiver.track])).connect(peer.analyser);
    }
    const levels = new Uint8Array(peer.analyser.frequencyBinCount);
    peer.analyser.getByteFrequencyData(levels);
    const bin = (hz) => Math.round((hz * peer.analyser.fftSize) / peer.context.sampleRate);
    return frequencies.map((hz) => Math.max(...levels.subarray(bin(hz) - 2, bin(hz) + 3)));
  },

  async figures() {
    const reports = [...((await peer.connection?.getStats()) ?? new Map()).values()];
    const inbound = (kind) => reports.find((report) => report.type === 'inbound-rtp' && report.kind === kind);
    return {
      state: peer.connection?.connectionState,
      framesDecoded: inbound('video')?.framesDecoded ?? 0,
      widthPixels: inbound('video')?.frameWidth ?? 0,
      audioPackets: inbound('audio')?.packetsReceived ?? 0,
    };
  },
};

/** The same peer by the stock SDK (amazon-kinesis-video-streams-webrtc), whose bundle is loaded before: as its examples do it. */
// biome-ignore lint/correctness/noUnusedVariables: the test calls it.
const signaling = {
  heard: [],

  /** Connects, and answers every offer. */
  async connect({ sends, codec, ...channel }) {
    const client = new KVSWebRTC.SignalingClient({ region: 'us-west-2', ...channel });
    client.on('sdpOffer', async (offer, sender) => {
      signaling.heard.push(['offer', sender]);
      await peer.answer({ offer: offer.sdp, sends });
      peer.connection.addEventListener('icecandidate', ({ candidate }) => {
        if (candidate !== null) client.sendIceCandidate(candidate, sender);
      });
      const { type, sdp } = peer.connection.localDescription;
      // One that has another codec alone calls it so.
      const named = codec === undefined ? sdp : sdp.replaceAll('H264/90000', `${codec}/90000`);
      client.sendSdpAnswer({ type, sdp: named }, sender, 'answer-1');
    });
    client.on('iceCandidate', (candidate, sender) => {
      signaling.heard.push(['candidate', sender]);
      peer.connection?.addIceCandidate(candidate);
    });
    client.on('statusResponse', (status) => signaling.heard.push(['status', status]));
    await new Promise((resolve, reject) => {
      client.on('open', resolve);
      client.on('error', reject);
      client.open();
    });
  },
};
