/**
 * One end of a call, in a page: written as the examples of the KVS WebRTC SDK for JavaScript are, with its stock bundle loaded before.
 * `peer.start` connects to the channel, `peer.figures` tells what arrived.
 */

// biome-ignore lint/correctness/noUnusedVariables: the test calls it.
const peer = {
  /** Who sent what, as the SDK tells it. */
  heard: [],
  /** @type {RTCPeerConnection | undefined} */
  connection: undefined,

  async start({ role, clientId, iceServers, iceTransportPolicy, ...channel }) {
    const media = await navigator.mediaDevices.getUserMedia({
      video: { width: 160, height: 120, frameRate: 10 },
      audio: true,
    });
    const client = new KVSWebRTC.SignalingClient({ role, clientId, region: 'eu-central-1', ...channel });
    const isMaster = role === 'MASTER';
    const connect = (remoteClientId) => {
      const connection = new RTCPeerConnection({ iceServers, iceTransportPolicy });
      connection.addEventListener('icecandidate', ({ candidate }) => {
        if (candidate !== null) client.sendIceCandidate(candidate, remoteClientId);
      });
      for (const track of media.getTracks()) connection.addTrack(track, media);
      connection.addEventListener('track', ({ track, streams: [stream] }) => {
        if (track.kind !== 'video') return;
        const video = Object.assign(document.createElement('video'), { srcObject: stream, autoplay: true });
        document.body.append(video);
      });
      peer.connection = connection;
      return connection;
    };
    client.on('sdpOffer', async (offer, remoteClientId) => {
      peer.heard.push(['offer', remoteClientId]);
      const connection = connect(remoteClientId);
      await connection.setRemoteDescription(offer);
      await connection.setLocalDescription(await connection.createAnswer());
      client.sendSdpAnswer(connection.localDescription, remoteClientId);
    });
    client.on('sdpAnswer', async (answer, remoteClientId) => {
      peer.heard.push(['answer', remoteClientId]);
      await peer.connection.setRemoteDescription(answer);
    });
    client.on('iceCandidate', (candidate, remoteClientId) => {
      peer.heard.push(['candidate', remoteClientId]);
      peer.connection?.addIceCandidate(candidate);
    });
    await new Promise((resolve, reject) => {
      client.on('open', resolve);
      client.on('error', reject);
      client.open();
    });
    if (isMaster) return;
    const connection = connect();
    await connection.setLocalDescription(await connection.createOffer());
    client.sendSdpOffer(connection.localDescription);
  },

  async figures() {
    const reports = [...((await peer.connection?.getStats()) ?? new Map()).values()];
    const inbound = (kind) => reports.find((report) => report.type === 'inbound-rtp' && report.kind === kind);
    const transport = reports.find((report) => report.type === 'transport');
    const pair = reports.find((report) => report.id === transport?.selectedCandidatePairId);
    const typeOf = (id) => reports.find((report) => report.id === id)?.candidateType;
    return {
      framesDecoded: inbound('video')?.framesDecoded ?? 0,
      audioSamples: inbound('audio')?.totalSamplesReceived ?? 0,
      candidateTypes: [typeOf(pair?.localCandidateId), typeOf(pair?.remoteCandidateId)],
      heard: peer.heard,
    };
  },
};
