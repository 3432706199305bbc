"""A camera for tests: GStreamer's RTSP server, driven by JSON lines on stdin, answering with JSON lines on stdout.

Run by test/kit/gst-camera.ts with the system's Python (the binding comes from the distribution):
    /usr/bin/python3 gst-camera.py '{"codec": "h264", ...}'

Each picture carries its number as a row of black and white cells along the top edge (see gst-camera.ts, which reads it back).
The number is the camera's age times its frame rate, so it goes on while nobody is connected, as a real camera's would:
a reader that was away for two seconds at 25 frames per second finds a hole of 50 numbers, and nothing else is a hole.
"""

import json
import sys
import threading
import time

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import Gio, GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402

STRIP_HEIGHT = 32
CELLS = 32


def number_cells(number):
    """24 bits of the number, most significant first, then 8 bits of checksum."""
    checksum = (number ^ (number >> 8) ^ (number >> 16) ^ 0x5A) & 0xFF
    return ((number & 0xFFFFFF) << 8) | checksum


class Picture:
    """I420 pictures: a moving texture below the strip of cells. Made of slices only, so that 1080p costs little."""

    def __init__(self, width, height):
        self.width, self.height = width, height
        self.cell = width // CELLS
        # A texture that repeats after 251 lines and moves by a few bytes a frame: compresses to a few Mb/s at 1080p.
        line = bytes(64 + (x * 7 % 128) for x in range(width + 512))
        body_height = height - STRIP_HEIGHT
        self.texture = b"".join(line[(y * 3) % 256 : (y * 3) % 256 + width] for y in range(body_height + 64))
        self.chroma = bytes([128]) * (width * height // 2)

    def bytes_of(self, number):
        bits = number_cells(number)
        row = b"".join(
            (b"\xeb" if (bits >> (CELLS - 1 - i)) & 1 else b"\x10") * self.cell for i in range(CELLS)
        )
        row += b"\x80" * (self.width - len(row))
        begin = (number % 64) * self.width
        body = self.texture[begin : begin + self.width * (self.height - STRIP_HEIGHT)]
        return row * STRIP_HEIGHT + body + self.chroma


class Camera:
    def __init__(self, options):
        self.options = options
        self.lock = threading.Lock()
        self.is_paused = False
        self.is_audio_stopped = options["isAudioStopped"]
        self.first_number = None
        self.last_number = None
        self.sent = 0
        self.feeders = []
        self.clients = []
        self.size = (options["widthPixels"], options["heightPixels"])
        # The wall clock is read once; from here on the camera's age is monotonic.
        self.age_at_start = time.time() - options["epochMs"] / 1000
        self.started = time.monotonic()

    def age(self):
        return self.age_at_start + (time.monotonic() - self.started)

    # --- the pipeline -----------------------------------------------------------------------------------------------

    def launch_line(self):
        o = self.options
        gop, kbps = o["gopFrames"], o["kilobitsPerSecond"]
        b = o["bFrames"]
        codecs = {
            "h264": f"x264enc speed-preset=ultrafast threads=1 key-int-max={gop} bframes={b} b-adapt=false "
            f"bitrate={kbps} vbv-buf-capacity=1000 {'' if b else 'tune=zerolatency '}"
            f"option-string=scenecut=0:open-gop=0:slices={o['slices']} "
            f"! video/x-h264,profile={'main' if b else 'constrained-baseline'} "
            f"! rtph264pay name=pay0 pt=96 config-interval={o['configInterval']} aggregate-mode={o['aggregateMode']} mtu={o['mtuBytes']}",
            "h265": f"x265enc speed-preset=ultrafast key-int-max={gop} bitrate={kbps} {'' if b else 'tune=zerolatency '}"
            f"option-string=bframes={b}:b-adapt=0:scenecut=0:open-gop=0:pools=none:wpp=0:frame-threads=1:log-level=none "
            f"! h265parse ! rtph265pay name=pay0 pt=96 config-interval={o['configInterval']} mtu={o['mtuBytes']}",
            "mjpeg": "jpegenc quality=50 ! rtpjpegpay name=pay0 pt=26",
        }
        line = (
            "appsrc name=pictures is-live=true format=time block=false max-bytes=0 ! videoconvert "
            f"! {codecs[o['codec']]}"
        )
        sound = "audiotestsrc is-live=true wave=ticks samplesperbuffer=320 ! valve name=sound ! "
        audios = {
            "none": "",
            "aac": sound + f"audio/x-raw,rate={o['audioHz']},channels=1 ! avenc_aac bitrate=64000 ! aacparse ! rtpmp4gpay name=pay1 pt=97",
            "aac-latm": sound + f"audio/x-raw,rate={o['audioHz']},channels=1 ! avenc_aac bitrate=64000 ! aacparse ! rtpmp4apay name=pay1 pt=97",
            "pcma": sound + "audio/x-raw,rate=8000,channels=1 ! alawenc ! rtppcmapay name=pay1 pt=8",
            "pcmu": sound + "audio/x-raw,rate=8000,channels=1 ! mulawenc ! rtppcmupay name=pay1 pt=0",
            "opus": sound + "audio/x-raw,rate=48000,channels=2 ! opusenc ! rtpopuspay name=pay1 pt=97",
        }
        audio = audios[o["audio"]]
        return f"( {line} {audio} )"

    def factory(self):
        factory = GstRtspServer.RTSPMediaFactory()
        factory.set_launch(self.launch_line())
        factory.set_shared(True)
        factory.set_latency(0)
        protocols = GstRtsp.RTSPLowerTrans(0)
        if "tcp" in self.options["transports"]:
            protocols |= GstRtsp.RTSPLowerTrans.TCP
        if "udp" in self.options["transports"]:
            protocols |= GstRtsp.RTSPLowerTrans.UDP
        factory.set_protocols(protocols)
        if self.options["auth"] != "none":
            permissions = GstRtspServer.RTSPPermissions()
            permissions.add_role("user")
            permissions.add_permission_for_role("user", "media.factory.access", True)
            permissions.add_permission_for_role("user", "media.factory.construct", True)
            factory.set_permissions(permissions)
        factory.connect("media-configure", self.on_media)
        return factory

    def on_media(self, _factory, media):
        source = media.get_element().get_by_name("pictures")
        valve = media.get_element().get_by_name("sound")
        if valve is not None:
            # The test sound can seek, the pictures can't: the server would try to, and refuse PLAY.
            valve.get_static_pad("src").add_probe(Gst.PadProbeType.QUERY_UPSTREAM, refuse_seeking)
        feeder = Feeder(self, source, valve)
        with self.lock:
            self.feeders.append(feeder)
        media.connect("unprepared", lambda _media: self.end_feeder(feeder))
        feeder.start()

    def end_feeder(self, feeder):
        feeder.stop()
        with self.lock:
            if feeder in self.feeders:
                self.feeders.remove(feeder)

    # --- the server -------------------------------------------------------------------------------------------------

    def serve(self):
        o = self.options
        self.server = GstRtspServer.RTSPServer()
        self.server.set_address("127.0.0.1")
        self.server.set_service(str(o["port"]))
        auth = None
        if o["auth"] != "none" or o["tlsPem"]:
            auth = GstRtspServer.RTSPAuth()
        if o["auth"] != "none":
            token = GstRtspServer.RTSPToken()
            token.set_string("media.factory.role", "user")
            auth.set_realm("weir test camera")
            if o["auth"] == "basic":
                auth.set_supported_methods(GstRtsp.RTSPAuthMethod.BASIC)
                auth.add_basic(GstRtspServer.RTSPAuth.make_basic(o["username"], o["password"]), token)
            else:
                auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
                auth.add_digest(o["username"], o["password"], token)
        elif auth is not None:
            # TLS alone: everybody is the user.
            token = GstRtspServer.RTSPToken()
            token.set_string("media.factory.role", "user")
            auth.set_default_token(token)
        if o["tlsPem"]:
            auth.set_tls_certificate(Gio.TlsCertificate.new_from_file(o["tlsPem"]))
        if auth is not None:
            self.server.set_auth(auth)
        self.mount()
        self.server.connect("client-connected", self.on_client)
        if self.server.attach(None) == 0:
            raise SystemExit("cannot listen")
        say({"ready": True, "port": self.server.get_bound_port()})

    def mount(self):
        mounts = self.server.get_mount_points()
        mounts.remove_factory(self.options["path"])
        factory = self.factory()
        if self.options["auth"] == "none" and self.options["tlsPem"]:
            permissions = GstRtspServer.RTSPPermissions()
            permissions.add_role("user")
            permissions.add_permission_for_role("user", "media.factory.access", True)
            permissions.add_permission_for_role("user", "media.factory.construct", True)
            factory.set_permissions(permissions)
        mounts.add_factory(self.options["path"], factory)

    def on_client(self, _server, client):
        self.clients.append(client)
        client.connect("closed", lambda c: self.clients.remove(c) if c in self.clients else None)

    def drop_clients(self):
        for client in list(self.clients):
            client.close()

    # --- commands ---------------------------------------------------------------------------------------------------

    def command(self, message):
        name = message["command"]
        if name == "status":
            return {
                "firstNumber": self.first_number,
                "lastNumber": self.last_number,
                "sent": self.sent,
                "clients": len(self.clients),
                "ageMs": self.age() * 1000,
            }
        if name == "pause":
            self.is_paused = True
            self.set_valves()
        elif name == "resume":
            self.is_paused = False
            self.set_valves()
        elif name == "stop-audio":
            self.is_audio_stopped = True
            self.set_valves()
        elif name == "start-audio":
            self.is_audio_stopped = False
            self.set_valves()
        elif name == "drop":
            self.drop_clients()
        elif name == "size":
            # In band: the encoder announces the new size with new parameter sets, connections stay.
            self.size = (message["widthPixels"], message["heightPixels"])
        elif name == "change":
            # As after a save in the camera's web page: connections are closed, the description is another.
            self.options.update(message["options"])
            self.size = (self.options["widthPixels"], self.options["heightPixels"])
            self.mount()
            self.drop_clients()
        else:
            raise ValueError(f"no such command: {name}")
        return {}

    def set_valves(self):
        with self.lock:
            feeders = list(self.feeders)
        for feeder in feeders:
            feeder.set_valve()


class Feeder(threading.Thread):
    """Pushes numbered pictures into one media at the camera's pace. Late is allowed, left out is not."""

    def __init__(self, camera, source, valve):
        super().__init__(daemon=True)
        self.camera, self.source, self.valve = camera, source, valve
        self.ended = threading.Event()
        self.picture = None

    def set_valve(self):
        if self.valve is not None:
            self.valve.set_property("drop", self.camera.is_paused or self.camera.is_audio_stopped)

    def stop(self):
        self.ended.set()

    def caps(self):
        fps = self.camera.options["framesPerSecond"]
        width, height = self.picture.width, self.picture.height
        return Gst.Caps.from_string(
            f"video/x-raw,format=I420,width={width},height={height},framerate={fps}/1,pixel-aspect-ratio=1/1"
        )

    def run(self):
        camera, fps = self.camera, self.camera.options["framesPerSecond"]
        self.set_valve_later()
        # Wait for the pipeline's clock: picture times are running times of this media.
        while self.source.get_clock() is None or self.source.get_base_time() == 0:
            if self.ended.wait(0.002):
                return
        age_now = camera.age()
        running_now = self.source.get_clock().get_time() - self.source.get_base_time()
        number = int(age_now * fps) + 1
        is_first = True
        while not self.ended.is_set():
            due = number / fps - camera.age()
            if due > 0 and self.ended.wait(due):
                return
            if self.picture is None or (self.picture.width, self.picture.height) != camera.size:
                self.picture = Picture(*camera.size)
                self.source.set_property("caps", self.caps())
            if is_first or not camera.is_paused:
                buffer = Gst.Buffer.new_wrapped(self.picture.bytes_of(number))
                buffer.pts = max(0, int(running_now + (number / fps - age_now) * Gst.SECOND))
                buffer.duration = Gst.SECOND // fps
                if self.source.emit("push-buffer", buffer) != Gst.FlowReturn.OK:
                    return
                with camera.lock:
                    camera.first_number = number if camera.first_number is None else camera.first_number
                    camera.last_number = number
                    camera.sent += 1
                is_first = False
            number += 1

    def set_valve_later(self):
        """Sound is needed until the media is prepared, else DESCRIBE would wait for it for ever."""
        if self.camera.is_paused or self.camera.is_audio_stopped:
            GLib.timeout_add(1000, lambda: self.set_valve() or False)


def refuse_seeking(_pad, info):
    is_seeking = info.get_query().type == Gst.QueryType.SEEKING
    return Gst.PadProbeReturn.DROP if is_seeking else Gst.PadProbeReturn.OK


def say(message):
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def read_commands(camera, loop):
    for line in sys.stdin:
        message = json.loads(line)
        GLib.idle_add(answer, camera, message)
    GLib.idle_add(loop.quit)


def answer(camera, message):
    try:
        say({"id": message["id"], "result": camera.command(message)})
    except Exception as error:  # noqa: BLE001 - the test that asked is the one to hear of it
        say({"id": message["id"], "error": str(error)})
    return False


def main():
    Gst.init(None)
    loop = GLib.MainLoop()
    camera = Camera(json.loads(sys.argv[1]))
    camera.serve()
    # Sessions of vanished clients are cleared as a camera does.
    GLib.timeout_add_seconds(2, lambda: camera.server.get_session_pool().cleanup() is not None or True)
    threading.Thread(target=read_commands, args=(camera, loop), daemon=True).start()
    loop.run()


main()
