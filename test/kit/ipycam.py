"""
A third party's ONVIF camera (package ipycam, MIT) without its video: device, media, PTZ and WS-Discovery as its authors wrote
them, on loopback. Arguments: the package's folder, the HTTP port, user, password. Says "ready" on standard output.
"""

import http.server
import os
import socket
import sys
import threading
import types
from unittest.mock import MagicMock

folder, port, username, password = sys.argv[1:5]

# Its pictures need OpenCV; nothing that speaks ONVIF does.
for name in ("cv2", "numpy"):
    sys.modules[name] = MagicMock()
package = types.ModuleType("ipycam")
package.__path__ = [os.path.join(folder, "ipycam")]
sys.modules["ipycam"] = package

from ipycam.config import CameraConfig  # noqa: E402
from ipycam.discovery import WSDiscoveryServer  # noqa: E402
from ipycam.http import IPCameraHTTPHandler  # noqa: E402
from ipycam.onvif import ONVIFService  # noqa: E402
from ipycam.ptz import PTZController  # noqa: E402

os.chdir(sys.argv[5])
config = CameraConfig(local_ip="127.0.0.1", onvif_port=int(port), username=username, password=password)
camera = types.SimpleNamespace(config=config, ptz=PTZController(output_width=1920, output_height=1080))
camera.onvif = ONVIFService(config, camera.ptz)
handler = type("Handler", (IPCameraHTTPHandler,), {"camera": camera})
server = http.server.ThreadingHTTPServer(("127.0.0.1", int(port)), handler)
discovery = WSDiscoveryServer(camera.onvif)
# Its Hello is for this machine alone.
discovery.sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
discovery.start()
threading.Thread(target=server.serve_forever, daemon=True).start()
print("ready", flush=True)
# Ends with the test that started it.
sys.stdin.read()
