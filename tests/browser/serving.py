"""A server of a folder on this machine that answers Range as object stores do, and writes down what was asked."""

from __future__ import annotations

import mimetypes
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit


@dataclass(frozen=True)
class Asked:
    """One answer: to which path, with which status, and how many bytes of the file it carried."""

    path: str
    status: int
    sent: int


@dataclass
class Served:
    """A folder under an address; `asked` grows with every answer. `ranges` off makes a server that sends all."""

    folder: Path
    address: str = ""
    ranges: bool = True
    asked: list[Asked] = field(default_factory=list)


@contextmanager
def serving(folder: Path) -> Iterator[Served]:
    """Serve a folder on 127.0.0.1 at a free port for as long as the context lasts."""
    served = Served(folder.resolve())

    class Handler(_Handler):
        site = served

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    site: Served

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        """Nothing: what was asked is kept in `asked`."""

    def _answer(self, *, with_body: bool) -> None:
        path = unquote(urlsplit(self.path).path)
        file = (self.site.folder / path.lstrip("/")).resolve()
        if file.is_dir():
            file /= "index.html"
        if not file.is_file() or not file.is_relative_to(self.site.folder):
            self._send(path, 404, b"", {}, with_body=with_body)
            return
        headers = {"Content-Type": mimetypes.guess_type(file.name)[0] or "application/octet-stream"}
        size = file.stat().st_size
        start, end, status = 0, size, 200
        if self.site.ranges:
            headers["Accept-Ranges"] = "bytes"
            if asked := re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range", "")):
                start, end = _bounds(asked[1], asked[2], size)
                status = 206
                headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
        with file.open("rb") as opened:
            opened.seek(start)
            self._send(path, status, opened.read(end - start), headers, with_body=with_body)

    def _send(self, path: str, status: int, body: bytes, headers: dict[str, str], *, with_body: bool) -> None:
        self.site.asked.append(Asked(path, status, len(body) if with_body else 0))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if with_body:
            self.wfile.write(body)


def _bounds(first: str, last: str, size: int) -> tuple[int, int]:
    """The bytes that a Range names, the end excluded; `-500` are the last 500."""
    if not first:
        return max(0, size - int(last)), size
    return int(first), min(size, int(last) + 1) if last else size
