#!/usr/bin/env python3
"""A web server on loopback that behaves as badly as a test asks for.

usage: server.py FOLDER LOG [CERTIFICATE KEY]

Prints its port, then serves until its standard input is closed. Every answered request is a line of LOG: method, path,
range or '-', status, bytes sent. A request for another host (of a client that takes this server for its proxy) is a
line that begins with 'proxy'; CONNECT is a tunnel to loopback. The first part of a path says how FOLDER/<rest> is served:

  ok            with ranges                      noranges     always whole
  cut/SEED      a random part, then the          cutwhole/N   N times a half of the whole, ranges ignored
                connection is cut
  longer        a Content-Length too large       shorter      one too small, the body cut to it
  wrong         zeros                            shift        another range than the one asked for
  nolength/N    no Content-Length; N times cut   stall/N      N times half of it, then nothing
  slow/MS       64 KiB every MS milliseconds     status/C/N   N times status C
  hop/N         after N redirects                loop         redirects to itself
  to/URL        redirects to URL (quoted)        zeros/N      N bytes of 'a: b\\n', no file
"""
import gzip
import http.server
import os
import random
import re
import select
import socket
import ssl
import sys
import threading
import time
import urllib.parse

CHUNK = 64 << 10


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60
    counts = {}
    lock = threading.Lock()

    def count(self):
        """How often this path was asked for before."""
        with self.lock:
            self.counts[self.path] = self.counts.get(self.path, 0) + 1
            return self.counts[self.path] - 1

    def log_message(self, *_):
        pass

    def note(self, status, sent):
        start = "proxy " if self.is_proxied else ""
        line = f"{start}{self.command} {self.path} {self.headers.get('Range', '-')} {status} {sent}\n"
        with self.lock, open(self.server.log, "a") as log:
            log.write(line)

    def answer(self, status, body=b"", headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.note(status, len(body))
        self.wfile.write(body)

    def do_CONNECT(self):
        """A tunnel, to this machine only."""
        self.is_proxied = True
        host, _, port = self.path.rpartition(":")
        if host != "127.0.0.1":
            return self.answer(403)
        self.close_connection = True
        with socket.create_connection((host, int(port))) as there:
            self.send_response(200)
            self.end_headers()
            self.note(200, 0)
            ends = {self.connection: there, there: self.connection}
            while True:
                for end in select.select(list(ends), [], [])[0]:
                    data = end.recv(CHUNK)
                    if not data:
                        return
                    ends[end].sendall(data)

    def do_GET(self):
        self.is_proxied = self.path.startswith("http://")
        path = re.sub(r"^http://[^/]*", "", self.path)
        mode, _, rest = path.split("?")[0].lstrip("/").partition("/")
        method = getattr(self, "serve_" + mode, None)
        if method is None:
            return self.answer(404)
        try:
            method(rest)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def read(self, name):
        """The bytes of a file, or None after the answer that there is none."""
        path = os.path.join(self.server.folder, urllib.parse.unquote(name))
        if not os.path.isfile(path):
            self.answer(404, b"no such file\n")
            return None
        with open(path, "rb") as file:
            return file.read()

    def asked_begin(self, size):
        match = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        begin = int(match[1]) if match else 0
        return begin if match else None

    def send_data(self, data, *, ranges=True, until=None, length=None, pause=0.0):
        """The head for all of `data`, then its bytes up to `until` (of the file), and a cut if that is not its end."""
        begin = self.asked_begin(len(data)) if ranges else None
        if begin is not None and begin >= len(data):
            return self.answer(416, headers=[("Content-Range", f"bytes */{len(data)}")])
        self.send_response(200 if begin is None else 206)
        if begin is not None:
            self.send_header("Content-Range", f"bytes {begin}-{len(data) - 1}/{len(data)}")
        begin = begin or 0
        if length != "none":
            self.send_header("Content-Length", str((length if length is not None else len(data)) - begin))
        else:
            self.send_header("Connection", "close")
        self.end_headers()
        end = len(data) if until is None else min(until, len(data))
        noted = False
        for at in range(begin, end, CHUNK):
            part = data[at : min(at + CHUNK, end)]
            if at + CHUNK >= end:  # before its client can know that this was all
                self.note(206 if begin else 200, end - begin)
                noted = True
            self.wfile.write(part)
            if pause:
                self.wfile.flush()
                time.sleep(pause)
        if not noted:
            self.note(206 if begin else 200, 0)
        if end < len(data) or length is not None:
            self.wfile.flush()
            self.close_connection = True

    def serve_ok(self, name):
        data = self.read(name)
        if data is not None:
            self.send_data(data)

    def serve_noranges(self, name):
        data = self.read(name)
        if data is not None:
            self.send_data(data, ranges=False)

    def serve_cut(self, rest):
        seed, name = rest.split("/", 1)
        data = self.read(name)
        if data is None:
            return
        begin = self.asked_begin(len(data)) or 0
        chance = random.Random(f"{seed} {self.count()}")
        self.send_data(data, until=begin + chance.randint(0, max(len(data) // 3, 1)))

    def serve_cutwhole(self, rest):
        times, name = rest.split("/", 1)
        data = self.read(name)
        if data is not None:
            until = len(data) // 2 if self.count() < int(times) else None
            self.send_data(data, ranges=False, until=until)

    def serve_longer(self, name):
        data = self.read(name)
        if data is not None:
            self.send_data(data, length=len(data) + 1000)

    def serve_shorter(self, name):
        data = self.read(name)
        if data is not None:
            self.send_data(data[:-1000], ranges=False)

    def serve_wrong(self, name):
        data = self.read(name)
        if data is not None:
            self.send_data(bytes(len(data)))

    def half_then_range(self, name):
        """A file and the begin of the range that is asked for, or None for it after an answer: half of the file and a cut."""
        data = self.read(name)
        begin = None if data is None else self.asked_begin(len(data))
        if data is not None and begin is None:
            self.send_data(data, until=len(data) // 2)
        return data, begin

    def serve_shift(self, name):
        data, begin = self.half_then_range(name)
        if begin is None:
            return
        body = data[begin + 1 :]
        self.answer(206, body, [("Content-Range", f"bytes {begin + 1}-{len(data) - 1}/{len(data)}")])

    def serve_version(self, rest):
        """Half of another file, then ranges of this one; its ETag says so, or `none` is sent."""
        tag, name = rest.split("/", 1)
        data = self.read(name)
        if data is None:
            return
        is_first = self.count() == 0
        begin = None if is_first else self.asked_begin(len(data))
        self.send_response(200 if begin is None else 206)
        if begin is not None:
            self.send_header("Content-Range", f"bytes {begin}-{len(data) - 1}/{len(data)}")
        if tag != "none":
            self.send_header("ETag", '"old"' if is_first else '"new"')
        self.send_header("Content-Length", str(len(data) - (begin or 0)))
        self.end_headers()
        self.wfile.write(bytes(len(data) // 2) if is_first else data[begin or 0 :])
        self.note(206 if begin else 200, len(data) - (begin or 0))
        self.close_connection = is_first

    def serve_pieces(self, name):
        """Half of the file and a cut, then at most 50,000 bytes of what is asked for."""
        data, begin = self.half_then_range(name)
        if begin is None:
            return
        end = min(begin + 50_000, len(data))
        self.answer(206, data[begin:end], [("Content-Range", f"bytes {begin}-{end - 1}/{len(data)}")])

    def serve_packed(self, name):
        data = self.read(name)
        if data is not None:
            self.answer(200, gzip.compress(data), [("Content-Encoding", "gzip")])

    def serve_named(self, name):
        """The bytes as they are under the name of a coding that is none of bytes; cut once."""
        data = self.read(name)
        if data is None:
            return
        begin = self.asked_begin(len(data))
        self.send_response(200 if begin is None else 206)
        if begin is not None:
            self.send_header("Content-Range", f"bytes {begin}-{len(data) - 1}/{len(data)}")
        self.send_header("Content-Encoding", "aws-chunked")
        self.send_header("Content-Length", str(len(data) - (begin or 0)))
        self.end_headers()
        is_cut = begin is None and self.count() < 2
        self.wfile.write(data[begin or 0 : len(data) // 2 if is_cut else None])
        self.note(206 if begin else 200, len(data) - (begin or 0))
        self.close_connection = is_cut

    def serve_nolength(self, rest):
        times, name = rest.split("/", 1)
        data = self.read(name)
        if data is not None:
            until = len(data) // 2 if self.count() < int(times) else None
            self.send_data(data, ranges=False, until=until, length="none")

    def serve_stall(self, rest):
        times, name = rest.split("/", 1)
        data = self.read(name)
        if data is None:
            return
        if self.count() >= int(times):
            return self.send_data(data)
        self.send_data(data, until=len(data) // 2)
        self.server.stop.wait(20)

    def serve_slow(self, rest):
        milliseconds, name = rest.split("/", 1)
        data = self.read(name)
        if data is not None:
            self.send_data(data, pause=int(milliseconds) / 1000)

    def serve_status(self, rest):
        code, times, name = rest.split("/", 2)
        if self.count() < int(times):
            return self.answer(int(code), b"not now\n", [("Retry-After", "0")])
        self.serve_ok(name)

    def serve_hop(self, rest):
        left, name = rest.split("/", 1)
        to = f"/hop/{int(left) - 1}/{name}" if int(left) > 1 else f"/ok/{name}"
        self.answer(302, headers=[("Location", to)])

    def serve_loop(self, _):
        self.answer(302, headers=[("Location", self.path)])

    def serve_to(self, rest):
        self.answer(302, headers=[("Location", urllib.parse.unquote(rest))])

    def serve_zeros(self, rest):
        self.send_data((b"a: b\n" * (int(rest.split("/")[0]) // 5 + 1))[: int(rest.split("/")[0])])


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        """A client that goes away is part of the tests."""


def main():
    folder, log, *tls = sys.argv[1:]
    server = Server(("127.0.0.1", 0), Handler)
    server.folder, server.log, server.stop = folder, log, threading.Event()
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*tls)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    print(server.server_address[1], flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()
    server.stop.set()


if __name__ == "__main__":
    main()
