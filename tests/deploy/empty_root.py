"""Runs a dragoman in a root that holds the image's files and nothing else, as the image's user, read-only.

    empty_root.py ROOTFS

Needs root and unshare(1): the script runs itself again in namespaces of its own for mounts and for the network,
in which there is loopback and nothing beyond. There it is what Docker would be (it gives the container /proc and a
resolv.conf) and what the container talks to: a name server and a backend of OTLP over HTTP. It ends with 0 if

* `validate` takes the configuration that is in the image,
* dragoman starts, also with an exporter that needs the certificate authorities, and `healthcheck` says so; before the start and after the end it says the opposite,
* a span arrives at a backend that is found by name, so that names are resolved without any library,
* the pages of metrics can be read, nothing was written to the root, and SIGTERM ends it with 0.
"""

import fcntl
import http.server
import json
import os
import pathlib
import shutil
import signal
import socket
import socketserver
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

NAME = "backend.example"
TRACE = "5b8efff798038103d269b633813fc60c"
SPAN = {
    "traceId": TRACE,
    "spanId": "eee19b7ec3c1b174",
    "name": "chat",
    "kind": 3,
    "startTimeUnixNano": "1700000000000000000",
    "endTimeUnixNano": "1700000001000000000",
}
CONFIGURATION = """
receivers: { otlp: { protocols: { http: { endpoint: 127.0.0.1:4318 } } } }
exporters:
  otlp_http: { endpoint: "http://%s:14318", compression: none }
  otlp_http/encrypted: { endpoint: "https://%s:14319", retry_on_failure: { enabled: false } }
extensions: { health_check: { endpoint: 127.0.0.1:13133 } }
service:
  extensions: [health_check]
  pipelines: { traces: { receivers: [otlp], exporters: [otlp_http, otlp_http/encrypted] } }
""" % (NAME, NAME)


def loopback_up():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        siocgifflags, siocsifflags, up = 0x8913, 0x8914, 1
        request = struct.pack("16sh14x", b"lo", 0)
        flags = struct.unpack("16sh14x", fcntl.ioctl(any_socket, siocgifflags, request))[1]
        fcntl.ioctl(any_socket, siocsifflags, struct.pack("16sh14x", b"lo", flags | up))


class Names(socketserver.BaseRequestHandler):
    """Answers that NAME is at 127.0.0.1, has no IPv6 address, and that nothing else exists."""

    def handle(self):
        query, connection = self.request
        end = query.index(b"\0", 12)
        labels, at = [], 12
        while at < end:
            labels.append(query[at + 1 : at + 1 + query[at]].decode())
            at += 1 + query[at]
        kind = struct.unpack("!H", query[end + 1 : end + 3])[0]
        question = query[12 : end + 5]
        known = ".".join(labels).lower() == NAME
        answer = b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 60, 4) + bytes([127, 0, 0, 1])
        has_answer = known and kind == 1
        head = query[:2] + struct.pack("!HHHHH", 0x8580 if known else 0x8583, 1, int(has_answer), 0, 0)
        connection.sendto(head + question + (answer if has_answer else b""), self.client_address)


class Backend(http.server.BaseHTTPRequestHandler):
    received = []

    def do_POST(self):
        self.received.append((self.path, self.rfile.read(int(self.headers["content-length"]))))
        self.send_response(200)
        self.send_header("content-type", "application/x-protobuf")
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def serve(server):
    threading.Thread(target=server.serve_forever, daemon=True).start()


def wait_for(what, condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            sys.exit(f"not within {seconds} s: {what}")
        time.sleep(0.05)


def inside(rootfs):
    loopback_up()
    root = pathlib.Path(tempfile.mkdtemp())
    shutil.copytree(rootfs, root, dirs_exist_ok=True)
    (root / "etc/resolv.conf").write_text("nameserver 127.0.0.1\n")
    (root / "etc/test.yaml").write_text(CONFIGURATION)
    (root / "etc/test.yaml").chmod(0o644)
    (root / "proc").mkdir()
    os.chmod(root, 0o755)
    subprocess.run(["mount", "--bind", root, root], check=True)
    subprocess.run(["mount", "-t", "proc", "proc", root / "proc"], check=True)
    subprocess.run(["mount", "-o", "remount,bind,ro,nosuid,nodev", root], check=True)
    serve(socketserver.UDPServer(("127.0.0.1", 53), Names))
    serve(http.server.ThreadingHTTPServer(("127.0.0.1", 14318), Backend))

    def command(*arguments):
        return [shutil.which("chroot"), "--userspec=10001:10001", str(root), "/dragoman", *arguments]

    def run(*arguments):
        done = subprocess.run(command(*arguments), env={}, capture_output=True, text=True, timeout=60)
        return done.returncode, done.stdout + done.stderr

    def expect(wanted, *arguments):
        code, said = run(*arguments)
        if code != wanted:
            sys.exit(f"{arguments}: exit code {code}, expected {wanted}: {said}")
        return said

    try:
        expect(0, "validate", "--config", "/etc/dragoman/config.yaml")
        expect(1, "healthcheck", "--config", "/etc/test.yaml")
        process = subprocess.Popen(command("--config", "/etc/test.yaml"), env={})
        try:
            wait_for("healthy", lambda: run("healthcheck", "--config", "/etc/test.yaml")[0] == 0)
            body = {"resourceSpans": [{"scopeSpans": [{"spans": [SPAN]}]}]}
            request = urllib.request.Request(
                "http://127.0.0.1:4318/v1/traces", json.dumps(body).encode(), {"content-type": "application/json"}
            )
            urllib.request.urlopen(request, timeout=10).read()
            wait_for("the span at the backend", lambda: Backend.received)
            path, arrived = Backend.received[0]
            if path != "/v1/traces" or bytes.fromhex(TRACE) not in arrived:
                sys.exit(f"{path}: {arrived!r}")
            page = urllib.request.urlopen("http://127.0.0.1:8888/metrics", timeout=10).read().decode()
            if "otelcol_exporter_sent_spans" not in page:
                sys.exit(f"the page of its own metrics: {page}")
        finally:
            process.send_signal(signal.SIGTERM)
            code = process.wait(60)
        if code != 0:
            sys.exit(f"it ended with {code}, expected 0")
        expect(1, "healthcheck", "--config", "/etc/test.yaml")

        # The image's own configuration, on all addresses.
        process = subprocess.Popen(command("--config", "/etc/dragoman/config.yaml"), env={}, stderr=subprocess.DEVNULL)
        try:
            wait_for("healthy", lambda: run("healthcheck", "--config", "/etc/dragoman/config.yaml")[0] == 0)
            urllib.request.urlopen("http://127.0.0.1:9464/metrics", timeout=10).read()
        finally:
            process.send_signal(signal.SIGTERM)
            code = process.wait(60)
        if code != 0:
            sys.exit(f"it ended with {code}, expected 0")
    finally:
        subprocess.run(["umount", root / "proc"], check=True)
        subprocess.run(["umount", root], check=True)
        shutil.rmtree(root)
    print("everything that the image holds is all it needs")


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] == "--inside":
        inside(sys.argv[2])
    else:
        again = [sys.executable, os.path.abspath(__file__), "--inside", sys.argv[1]]
        os.execvp("unshare", ["unshare", "--mount", "--net", *again])
