"""As much of Solr as CKAN asks for: it keeps documents in memory, and finds them by terms of its query language.

Belongs here: the four requests that CKAN 2.11 makes. Does not belong here: ranking, facets, analysis of text; who
tests what a search finds needs a real Solr. Run as `solr.py PORT SCHEMA`, on this machine only.
"""

from __future__ import annotations

import json
import re
import sys
import threading
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

Document = Mapping[str, Any]
Test = Callable[[Document], bool]
TOKEN = re.compile(r'\s*([()+-]|(?:[\w.]+|\*):|"(?:\\.|[^"\\])*"|\[[^\]]*\]|[^\s()"]+)')
KEY = "index_id"  # what CKAN's schema makes unique


class Index:
    """The documents, by their unique key."""

    def __init__(self) -> None:
        self._documents: dict[str, Document] = {}
        self._lock = threading.Lock()

    def add(self, documents: list[Document]) -> None:
        with self._lock:
            self._documents.update({str(document[KEY]): document for document in documents})

    def delete(self, query: str) -> None:
        matches = parse(query)
        with self._lock:
            self._documents = {key: found for key, found in self._documents.items() if not matches(found)}

    def select(self, queries: list[str]) -> list[Document]:
        tests = [parse(query) for query in queries]
        with self._lock:
            return [document for document in self._documents.values() if all(test(document) for test in tests)]


def parse(query: str) -> Test:
    """A query such as `+state:active AND (id:"a" OR name:"a")`; what stands side by side must all hold."""
    return _Query([*TOKEN.findall(query)]).alternatives("")


class _Query:
    """The words of a query, read from left to right."""

    def __init__(self, words: list[str]) -> None:
        self._words = words[::-1]

    def alternatives(self, field: str) -> Test:
        tests = [self._together(field)]
        while self._next() in ("OR", "||"):
            self._words.pop()
            tests.append(self._together(field))
        return lambda document: any(test(document) for test in tests)

    def _next(self) -> str:
        return self._words[-1] if self._words else ""

    def _together(self, field: str) -> Test:
        tests = []
        while self._next() not in ("", ")", "OR", "||"):
            if self._next() in ("AND", "&&"):
                self._words.pop()
            tests.append(self._one(field))
        return lambda document: all(test(document) for test in tests)

    def _one(self, field: str) -> Test:
        word = self._words.pop()
        if word == "+":
            return self._one(field)
        if word in ("-", "NOT"):
            denied = self._one(field)
            return lambda document: not denied(document)
        if word == "(":
            inner = self.alternatives(field)
            self._words.pop()
            return inner
        if word.endswith(":"):
            return self._one(word[:-1])
        return lambda document: holds(document, field, word)


def holds(document: Document, field: str, term: str) -> bool:
    """Whether a field, or any field where none is named, has a term."""
    text = re.sub(r"\\(.)", r"\1", term[1:-1] if term.startswith('"') else term)
    if text == "*" or term.startswith("["):
        return field in ("*", "") or field in document
    if field:
        return text in texts(document.get(field))
    return any(text.lower() in value.lower() for entry in document.values() for value in texts(entry))


def texts(value: object) -> Iterator[str]:
    """A value of a document, or each of several."""
    for one in value if isinstance(value, list) else [value]:
        yield str(one)


class Handler(BaseHTTPRequestHandler):
    """The requests of pysolr, and the one by which CKAN asks for the schema's version."""

    protocol_version = "HTTP/1.1"
    index = Index()
    schema = b""

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        act = address.path.rstrip("/").rpartition("/")[2]
        if act == "select":
            self.answer(self.found(parse_qs(address.query)))
        elif act == "schema":
            self.send(200, "application/xml", self.schema)
        else:
            self.send(404, "text/plain", b"not part of the stand-in")

    def do_POST(self) -> None:
        act = urlsplit(self.path).path.rstrip("/").rpartition("/")[2]
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if act == "select":
            return self.answer(self.found(parse_qs(content.decode())))
        if "json" in self.headers.get("Content-Type", ""):
            self.index.add(json.loads(content))
        else:
            for query in ElementTree.fromstring(content).iter("query"):  # noqa: S314 - from our own CKAN
                self.index.delete(query.text or "")
        return self.answer({"responseHeader": {"status": 0, "QTime": 0}})

    def found(self, asked: dict[str, list[str]]) -> dict[str, Any]:
        documents = self.index.select([*asked.get("q", ["*:*"]), *asked.get("fq", [])])
        start, rows = int(asked.get("start", ["0"])[0]), int(asked.get("rows", ["10"])[0])
        page = [dict(document) for document in documents[start : start + rows]]
        return {
            "responseHeader": {"status": 0, "QTime": 0},
            "response": {"numFound": len(documents), "start": start, "docs": page},
            "facet_counts": {"facet_queries": {}, "facet_fields": {}, "facet_ranges": {}},
        }

    def answer(self, document: dict[str, Any]) -> None:
        self.send(200, "application/json", json.dumps(document).encode())

    def send(self, status: int, kind: str, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments: Any) -> None:
        """Say nothing: CKAN's own log has what fails."""


if __name__ == "__main__":
    Handler.schema = Path(sys.argv[2]).read_bytes()
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
