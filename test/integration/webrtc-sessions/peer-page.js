// What a page does by WHEP and WHIP; read by Chromium, with what it holds in `held`.

async function peer({ url, token, only, kinds = ['video', 'audio'], direction, codec }) {
  const connection = new RTCPeerConnection();
  const media = new MediaStream();
  globalThis.held = { connection, media };
  if (direction === 'sendonly') {
    const own = await navigator.mediaDevices.getUserMedia({
      video: kinds.includes('video') ? { width: 640, height: 360 } : false,
      audio: kinds.includes('audio'),
    });
    for (const track of own.getTracks()) {
      const transceiver = connection.addTransceiver(track, { direction, streams: [own] });
      if (track.kind !== 'video' || codec === undefined) continue;
      const codecs = RTCRtpSender.getCapabilities('video').codecs;
      transceiver.setCodecPreferences(codecs.filter(({ mimeType }) => mimeType === codec));
    }
  } else for (const kind of kinds) connection.addTransceiver(kind, { direction });
  connection.ontrack = ({ track }) => {
    media.addTrack(track);
    const element = document.createElement('video');
    element.autoplay = true;
    element.srcObject = media;
    document.body.append(element);
  };
  const offer = await connection.createOffer();
  await connection.setLocalDescription(offer);
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/sdp', authorization: `Bearer ${token}` },
    body: offer.sdp,
  });
  const text = await response.text();
  const header = (name) => response.headers.get(name);
  const told = {
    ...{ status: response.status, text, offer: offer.sdp },
    ...{ location: header('location'), etag: header('etag'), link: header('link'), notes: header('weir-notes') },
  };
  if (response.status !== 201) return told;
  const isKept = (line) => only === undefined || !line.startsWith('a=candidate:') || line.includes(` ${only} `);
  await connection.setRemoteDescription({ type: 'answer', sdp: text.split('\r\n').filter(isKept).join('\r\n') });
  return told;
}

/** An ICE restart by PATCH; the connection goes on under the new credentials. */
async function restart({ url, token, ifMatch }) {
  const { connection } = globalThis.held;
  const offer = await connection.createOffer({ iceRestart: true });
  await connection.setLocalDescription(offer);
  const lines = offer.sdp.split('\r\n');
  const fragment = lines.filter((line) => /^a=(?:ice-ufrag|ice-pwd|group|mid)|^m=/.test(line));
  const response = await fetch(url, {
    method: 'PATCH',
    headers: {
      'content-type': 'application/trickle-ice-sdpfrag',
      authorization: `Bearer ${token}`,
      ...(ifMatch === undefined ? {} : { 'if-match': ifMatch }),
    },
    body: `${fragment.join('\r\n')}\r\n`,
  });
  const text = await response.text();
  const told = { status: response.status, text, etag: response.headers.get('etag') };
  if (response.status !== 200) return told;
  const value = (name) => new RegExp(`^a=${name}:(.*)$`, 'm').exec(text)[1].trim();
  const answer = connection.remoteDescription.sdp
    .replaceAll(/^a=ice-ufrag:.*$/gm, `a=ice-ufrag:${value('ice-ufrag')}`)
    .replaceAll(/^a=ice-pwd:.*$/gm, `a=ice-pwd:${value('ice-pwd')}`);
  await connection.setRemoteDescription({ type: 'answer', sdp: answer });
  return told;
}

async function read() {
  const { connection } = globalThis.held;
  const stats = [...(await connection.getStats()).values()];
  const inbound = (kind) => stats.find((one) => one.type === 'inbound-rtp' && one.kind === kind);
  const sent = stats.find((one) => one.type === 'outbound-rtp' && one.kind === 'video');
  const codecOf = (one) => stats.find(({ id }) => id === one?.codecId)?.mimeType ?? '';
  const pair = stats.find((one) => one.type === 'candidate-pair' && one.nominated);
  const audio = inbound('audio');
  return {
    state: connection.connectionState,
    framesDecoded: inbound('video')?.framesDecoded ?? 0,
    widthPixels: inbound('video')?.frameWidth ?? 0,
    videoCodec: codecOf(inbound('video') ?? sent),
    audioCodec: codecOf(audio),
    audioSamples: (audio?.totalSamplesReceived ?? 0) - (audio?.concealedSamples ?? 0),
    protocol: stats.find(({ id }) => id === pair?.remoteCandidateId)?.protocol ?? '',
    framesSent: sent?.framesSent ?? 0,
  };
}

Object.assign(globalThis, { peer, restart, read });
