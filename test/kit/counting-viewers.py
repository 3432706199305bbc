"""WebRTC viewers that cost almost nothing: they connect as any peer does (WHEP, ICE, DTLS), and then count what arrives by its RTP
headers, which SRTP leaves readable. Nothing is decrypted, nothing is asked for again: what is lost stays lost and is counted.

Run by test/kit/whep-viewers.ts with the system's Python and its OpenSSL:
    /usr/bin/python3 counting-viewers.py '{"urls": ["https://..."], "token": "...", "staggerMs": 50}'

Answers with JSON lines: {"viewer", "event": "picture" | "failed", ...} and, to each line on stdin, one
{"event": "counts", "viewers": [{"pictures", "soundPackets", "lost", "longestMs", "firstMs"}]} since the line before.
"""

import binascii
import ctypes
import hashlib
import hmac
import json
import os
import re
import select
import socket
import struct
import sys
import threading
import time

from OpenSSL import SSL, crypto
from whep_viewing import Counts, Refused, post_offer, say

MAGIC = 0x2112A442
VIDEO, SOUND = 96, 97
CHECK_AGAIN_S = 5


class Identity:
    """One certificate for all of them: making one costs more than a handshake."""

    def __init__(self):
        self.key = crypto.PKey()
        self.key.generate_key(crypto.TYPE_RSA, 2048)
        self.certificate = crypto.X509()
        self.certificate.get_subject().CN = "viewer"
        self.certificate.set_serial_number(1)
        self.certificate.gmtime_adj_notBefore(-3600)
        self.certificate.gmtime_adj_notAfter(86_400)
        self.certificate.set_issuer(self.certificate.get_subject())
        self.certificate.set_pubkey(self.key)
        self.certificate.sign(self.key, "sha256")
        self.fingerprint = self.certificate.digest("sha256").decode()
        self.context = SSL.Context(SSL.DTLS_METHOD)
        self.context.use_certificate(self.certificate)
        self.context.use_privatekey(self.key)
        self.context.set_verify(SSL.VERIFY_NONE, lambda *_: True)
        address = int(SSL._ffi.cast("intptr_t", self.context._context))
        profile = b"SRTP_AEAD_AES_256_GCM:SRTP_AEAD_AES_128_GCM:SRTP_AES128_CM_SHA1_80"
        ctypes.CDLL("libssl.so.3").SSL_CTX_set_tlsext_use_srtp(ctypes.c_void_p(address), profile)


class Viewer:
    def __init__(self, number, url, token, identity):
        self.number, self.url, self.token, self.identity = number, url, token, identity
        self.user, self.password = binascii.hexlify(os.urandom(4)).decode(), binascii.hexlify(os.urandom(12)).decode()
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * 1024 * 1024)
        self.socket.setblocking(False)
        self.socket.bind(("127.0.0.1", 0))
        self.remote = None
        self.tls = None
        self.is_secure = False
        self.counts = Counts(number)

    def start(self):
        """Blocks while the offer is answered: beside the loop."""
        self.counts.begin()
        line = "a=ice-ufrag:{}\r\na=ice-pwd:{}\r\na=fingerprint:sha-256 {}\r\na=setup:active\r\na=rtcp-mux\r\na=recvonly\r\n".format(
            self.user, self.password, self.identity.fingerprint
        )
        offer = (
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n"
            f"m=video 9 UDP/TLS/RTP/SAVPF {VIDEO}\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\n{line}a=rtpmap:{VIDEO} H264/90000\r\n"
            f"a=fmtp:{VIDEO} packetization-mode=1;profile-level-id=42e01f;level-asymmetry-allowed=1\r\n"
            f"m=audio 9 UDP/TLS/RTP/SAVPF {SOUND}\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\n{line}a=rtpmap:{SOUND} opus/48000/2\r\n"
        )
        try:
            text = post_offer(self.url, self.token, offer)
        except Refused as error:
            return say(viewer=self.number, event="failed", message=str(error))
        user = re.search(r"^a=ice-ufrag:(\S+)", text, re.M)[1]
        password = re.search(r"^a=ice-pwd:(\S+)", text, re.M)[1]
        candidate = re.search(r"^a=candidate:\S+ 1 udp \d+ (127\.\S+) (\d+) typ host", text, re.M | re.I)
        self.remote_user, self.remote_password = user, password
        self.tls = SSL.Connection(self.identity.context, None)
        self.tls.set_connect_state()
        self.remote = (candidate[1], int(candidate[2]))
        self.check()
        return None

    def check(self):
        """A Binding request with the nomination (RFC 8445, 7.2.2): connects, and keeps the consent fresh."""
        name = f"{self.remote_user}:{self.user}".encode()
        body = attribute(0x0006, name) + attribute(0x0024, struct.pack(">I", 1))
        body += attribute(0x802A, os.urandom(8)) + attribute(0x0025, b"")
        head = struct.pack(">HHI", 0x0001, len(body) + 24, MAGIC) + os.urandom(12)
        body += attribute(0x0008, hmac.new(self.remote_password.encode(), head + body, hashlib.sha1).digest())
        head = head[:2] + struct.pack(">H", len(body) + 8) + head[4:]
        body += attribute(0x8028, struct.pack(">I", (binascii.crc32(head + body) & 0xFFFFFFFF) ^ 0x5354554E))
        self.send(head + body)

    def send(self, datagram):
        try:
            self.socket.sendto(datagram, self.remote)
        except OSError:
            pass

    def read(self):
        for _ in range(64):
            try:
                datagram = self.socket.recv(2048)
            except OSError:
                return
            first = datagram[0]
            if 128 <= first < 192:
                self.on_rtp(datagram)
            elif 20 <= first < 64:
                self.tls.bio_write(datagram)
                self.shake()
            elif first < 4 and not self.is_secure and datagram[:2] == b"\x01\x01":
                self.shake()

    def shake(self):
        try:
            if not self.is_secure:
                self.tls.do_handshake()
                self.is_secure = True
        except SSL.WantReadError:
            pass
        except SSL.Error as error:
            say(viewer=self.number, event="failed", message=f"DTLS: {error}")
        try:
            while True:
                self.send(self.tls.bio_read(65_536))
        except SSL.WantReadError:
            pass

    def on_rtp(self, datagram):
        kind = datagram[1] & 0x7F
        if kind == SOUND:
            self.counts.on_sound()
        if kind == VIDEO:
            self.counts.on_video(*struct.unpack_from(">HI", datagram, 2))


def attribute(kind, value):
    return struct.pack(">HH", kind, len(value)) + value + bytes(-len(value) % 4)


def main():
    options = json.loads(sys.argv[1])
    identity = Identity()
    viewers = [Viewer(i, url, options["token"], identity) for i, url in enumerate(options["urls"])]
    poll = select.epoll()
    by_descriptor = {viewer.socket.fileno(): viewer for viewer in viewers}
    for descriptor in by_descriptor:
        poll.register(descriptor, select.EPOLLIN)
    poll.register(sys.stdin.fileno(), select.EPOLLIN)

    def start_all():
        for viewer in viewers:
            threading.Thread(target=viewer.start, daemon=True).start()
            time.sleep(options.get("staggerMs", 50) / 1000)

    threading.Thread(target=start_all, daemon=True).start()
    checked_s = time.monotonic()
    while True:
        for descriptor, _ in poll.poll(1):
            if descriptor in by_descriptor:
                by_descriptor[descriptor].read()
            elif sys.stdin.readline() == "":
                return
            else:
                say(event="counts", viewers=[viewer.counts.take() for viewer in viewers])
        if time.monotonic() - checked_s > CHECK_AGAIN_S:
            checked_s = time.monotonic()
            for viewer in viewers:
                if viewer.remote is not None:
                    viewer.check()


main()
