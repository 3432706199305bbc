"""WebRTC viewers that decode nothing: GStreamer's webrtcbin, any number in one process, each a WHEP session of its own.

Run by test/kit/whep-viewers.ts with the system's Python:
    /usr/bin/python3 gstreamer-viewers.py '{"urls": ["https://..."], "token": "...", "staggerMs": 50}'

Answers with JSON lines: {"viewer", "event": "picture" | "failed" | "ended", "ms", ...} and, to each line on stdin, one
{"event": "counts", "viewers": [{"pictures", "soundPackets", "lost", "longestMs", "firstMs"}]} since the line before.
"""

import json
import sys
import threading

import gi
from whep_viewing import Counts, Refused, post_offer, say

gi.require_version("Gst", "1.0")
gi.require_version("GstSdp", "1.0")
gi.require_version("GstWebRTC", "1.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC  # noqa: E402


class Viewer:
    def __init__(self, number, url, token):
        self.number, self.url, self.token = number, url, token
        self.counts = Counts(number)
        self.pipeline = Gst.Pipeline.new(f"viewer-{number}")
        self.peer = Gst.ElementFactory.make("webrtcbin")
        self.peer.set_property("bundle-policy", GstWebRTC.WebRTCBundlePolicy.MAX_BUNDLE)
        self.peer.set_property("latency", 0)
        self.pipeline.add(self.peer)
        receive = GstWebRTC.WebRTCRTPTransceiverDirection.RECVONLY
        for caps in (
            "application/x-rtp,media=video,encoding-name=H264,payload=96,clock-rate=90000,"
            "packetization-mode=(string)1,profile-level-id=(string)42e01f",
            "application/x-rtp,media=audio,encoding-name=OPUS,payload=97,clock-rate=48000,encoding-params=(string)2",
        ):
            self.peer.emit("add-transceiver", receive, Gst.Caps.from_string(caps))
        self.peer.connect("pad-added", self.on_pad)
        self.peer.connect("notify::ice-gathering-state", self.on_gathering)
        self.peer.connect("notify::connection-state", self.on_state)
        self.is_asked = False

    def start(self):
        self.counts.begin()
        self.pipeline.set_state(Gst.State.PLAYING)
        self.peer.emit("create-offer", None, Gst.Promise.new_with_change_func(self.on_offer, None))

    def on_offer(self, promise, _):
        # The offer lives in the reply, and only as long.
        reply = promise.get_reply()
        offer = reply.get_value("offer")
        self.peer.emit("set-local-description", offer, Gst.Promise.new())

    def on_gathering(self, peer, _):
        if peer.get_property("ice-gathering-state") != GstWebRTC.WebRTCICEGatheringState.COMPLETE or self.is_asked:
            return
        self.is_asked = True
        threading.Thread(target=self.ask, daemon=True).start()

    def ask(self):
        offer = self.peer.get_property("local-description").sdp.as_text()
        try:
            text = post_offer(self.url, self.token, offer)
        except Refused as error:
            say(viewer=self.number, event="failed", message=str(error))
            return
        _, sdp = GstSdp.SDPMessage.new_from_text(text)
        described = GstWebRTC.WebRTCSessionDescription.new(GstWebRTC.WebRTCSDPType.ANSWER, sdp)
        self.peer.emit("set-remote-description", described, Gst.Promise.new())

    def on_pad(self, _, pad):
        if pad.get_direction() != Gst.PadDirection.SRC:
            return
        sink = Gst.ElementFactory.make("fakesink")
        sink.set_property("sync", False)
        sink.set_property("async", False)
        self.pipeline.add(sink)
        sink.sync_state_with_parent()
        is_video = pad.get_current_caps().get_structure(0).get_string("media") == "video"
        pad.add_probe(Gst.PadProbeType.BUFFER, self.on_video if is_video else self.on_sound)
        pad.link(sink.get_static_pad("sink"))

    def on_video(self, _, info):
        found, head = info.get_buffer().map(Gst.MapFlags.READ)
        if not found:
            return Gst.PadProbeReturn.OK
        sequence = int.from_bytes(head.data[2:4], "big")
        rtp_time = int.from_bytes(head.data[4:8], "big")
        info.get_buffer().unmap(head)
        self.counts.on_video(sequence, rtp_time)
        return Gst.PadProbeReturn.OK

    def on_sound(self, _pad, _info):
        self.counts.on_sound()
        return Gst.PadProbeReturn.OK

    def on_state(self, peer, _):
        state = peer.get_property("connection-state")
        if state in (GstWebRTC.WebRTCPeerConnectionState.FAILED, GstWebRTC.WebRTCPeerConnectionState.CLOSED):
            say(viewer=self.number, event="ended", message=state.value_nick)


def main():
    Gst.init(None)
    options = json.loads(sys.argv[1])
    viewers = [Viewer(i, url, options["token"]) for i, url in enumerate(options["urls"])]
    for i, viewer in enumerate(viewers):
        GLib.timeout_add(1 + i * options.get("staggerMs", 50), lambda v=viewer: v.start())
    loop = GLib.MainLoop()

    def answer():
        for _ in sys.stdin:
            say(event="counts", viewers=[viewer.counts.take() for viewer in viewers])
        loop.quit()

    threading.Thread(target=answer, daemon=True).start()
    loop.run()
    for viewer in viewers:
        viewer.pipeline.set_state(Gst.State.NULL)


main()
