"""What viewers by WHEP share, whatever receives their packets: the offer, what they count, and the lines they say."""

import json
import ssl
import threading
import time
import urllib.error
import urllib.request

OUTPUT = threading.Lock()


def say(**line):
    """One line of JSON, whole whichever thread says it."""
    with OUTPUT:
        print(json.dumps(line), flush=True)


def now_ms():
    return time.monotonic() * 1000


class Refused(Exception):
    """An offer was not answered; says why."""


def post_offer(url, token, offer):
    """The answer to an offer; any certificate is taken."""
    request = urllib.request.Request(url, data=offer.encode(), method="POST")
    request.add_header("content-type", "application/sdp")
    request.add_header("authorization", f"Bearer {token}")
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with urllib.request.urlopen(request, context=context, timeout=30) as answer:
            return answer.read().decode()
    except urllib.error.HTTPError as error:
        raise Refused(f"{error.code} {error.read().decode()}") from error
    except OSError as error:
        raise Refused(str(error)) from error


class Counts:
    """What came to one viewer, in any thread. Says when the first picture did."""

    def __init__(self, number):
        self.number = number
        self.lock = threading.Lock()
        self.began_ms = now_ms()
        self.first_ms = self.last_ms = self.last_sequence = self.last_time = None
        self.forget()

    def forget(self):
        # A standstill or a loss that goes on over a count belongs to the next one.
        self.pictures = self.sound_packets = self.lost = 0
        self.longest_ms = 0.0

    def begin(self):
        self.began_ms = now_ms()

    def on_video(self, sequence, rtp_time):
        with self.lock:
            if self.last_sequence is not None:
                self.lost += max(0, ((sequence - self.last_sequence + 0x8000) & 0xFFFF) - 0x8000 - 1)
            self.last_sequence = sequence
            if rtp_time == self.last_time:
                return
            # The first packet of a picture.
            self.last_time = rtp_time
            at = now_ms()
            if self.last_ms is not None:
                self.longest_ms = max(self.longest_ms, at - self.last_ms)
            self.last_ms = at
            self.pictures += 1
            if self.first_ms is not None:
                return
            self.first_ms = at - self.began_ms
        say(viewer=self.number, event="picture", ms=self.first_ms)

    def on_sound(self):
        with self.lock:
            self.sound_packets += 1

    def take(self):
        """Since it was asked before."""
        with self.lock:
            told = {
                "pictures": self.pictures,
                "soundPackets": self.sound_packets,
                "lost": self.lost,
                "longestMs": self.longest_ms,
                "firstMs": self.first_ms,
            }
            self.forget()
            return told
