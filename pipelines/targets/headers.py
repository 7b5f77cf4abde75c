"""What an object store is told about each object: its media type, and how long a copy of it may be kept.

Belongs here: two headers. Does not belong here: a content encoding; a Parquet file that is packed once more can no
longer be read in pieces, and a `.csv.gz` is meant to arrive as it is.
"""

from __future__ import annotations

from pathlib import PurePosixPath

from pipelines.release.manifest import Manifest

# A file of a release never changes. What a cache must forget after an erasure, see docs/targets.md.
IMMUTABLE = "public, max-age=31536000, immutable"
SHORT = "public, max-age=60, must-revalidate"
ANY = "application/octet-stream"
MEDIA_TYPES = {
    "": "text/plain",
    ".css": "text/css",
    ".csv": "text/csv",
    ".gz": "application/gzip",
    ".html": "text/html",
    ".ico": "image/vnd.microsoft.icon",
    ".jpg": "image/jpeg",
    ".js": "text/javascript",
    ".json": "application/json",
    ".map": "application/json",
    ".md": "text/markdown",
    ".mjs": "text/javascript",
    ".parquet": "application/vnd.apache.parquet",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
    ".xml": "application/xml",
    ".zip": "application/zip",
}
FEED = "application/atom+xml"


def media_types(manifest: Manifest) -> dict[str, str]:
    """The media type of every file of a release as its manifest says it, by name below the public folder."""
    files = [*manifest.files, *(file for dataset in manifest.datasets for file in dataset.files)]
    return {f"v/{manifest.version}/{file.path}": with_charset(file.media_type) for file in files}


def media_type(name: str) -> str:
    """The media type of a file by the ending of its name."""
    if PurePosixPath(name).name == "feed.xml":
        return with_charset(FEED)
    return with_charset(MEDIA_TYPES.get(PurePosixPath(name).suffix, ANY))


def with_charset(media_type: str) -> str:
    """A media type that says in which encoding its text is; all our texts are UTF-8."""
    is_text = media_type.startswith("text/") or media_type.endswith(("xml", "+json", "/json", "/ld+json"))
    return f"{media_type}; charset=utf-8" if is_text and "/json" not in media_type else media_type
