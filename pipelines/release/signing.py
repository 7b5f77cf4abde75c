"""Signing a release: keys and signatures in minisign's format, made and checked here or by minisign itself.

Belongs here: key files, the signature of a manifest, and whether one holds. Does not belong here: what a manifest
says, and where keys are kept: the operator holds them, outside the home and outside the checkout.

The signature stands in `manifest.json.minisig`. The manifest names every other file by its hash, so signing it
signs them all. The signature itself stands in neither list: it is a statement about a release, and can be made
later, or again with another key, while every byte of what it speaks of stays.

The format is that of minisign (https://jedisct1.github.io/minisign/): Ed25519 over BLAKE2b-512 of the file, and
a second signature over the first and its comment. No secret appears in a message, a log or a `repr`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import logging
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.release.manifest import Manifest, read_manifest
from pipelines.settings import SettingsError
from pipelines.snapshots import PARTIAL, write_atomically

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

log = logging.getLogger("engagement")
KEY_VARIABLE = "ENGAGEMENT_SIGNING_KEY"
PASSWORD_VARIABLE = "ENGAGEMENT_KEY_PASSWORD"  # noqa: S105 - the name of a variable
SIGNATURE = "manifest.json.minisig"
PUBLIC_KEY = "minisign.pub"
SECRET_KEY = "minisign.key"  # noqa: S105 - the name of a file
UNTRUSTED, TRUSTED = "untrusted comment: ", "trusted comment: "
PLAIN, PREHASHED = b"Ed", b"ED"  # kinds of signature; keys carry the first
SCRYPT, NO_PASSWORD, BLAKE2B = b"Sc", bytes(2), b"B2"
ID, PUBLIC, SECRET, SALT, CHECKSUM, SIGNED = 8, 32, 64, 32, 32, 64  # lengths in bytes
# libsodium's two limits, which stand for scrypt's N = 2^18, r = 8, p = 1: a second and 256 MB for each guess.
# minisign's own keys ask for 1 GB, which small machines that publish do not have.
OPERATIONS, MEMORY = 2**23, 2**28
MOST_MEMORY = 2**30  # of a key file that is read: what minisign itself asks for
LARGEST = 4_096  # bytes of a key or signature file


class SigningError(SettingsError):
    """A key or signature that cannot be used; the message names the file and the remedy, and never a secret."""


@dataclass(frozen=True)
class PublicKey:
    """What others check signatures with; `key_id` only tells keys apart."""

    key_id: bytes
    raw: bytes

    @property
    def name(self) -> str:
        """The key's id as minisign writes it."""
        return self.key_id[::-1].hex().upper()

    @property
    def encoded(self) -> str:
        """The key in one line, as it is given to `--public-key` or `minisign -P`."""
        return base64.b64encode(PLAIN + self.key_id + self.raw).decode()

    def file(self) -> bytes:
        """The content of `minisign.pub`."""
        return f"{UNTRUSTED}minisign public key {self.name}\n{self.encoded}\n".encode()


@dataclass(frozen=True)
class Signer:
    """A key pair that can sign."""

    public: PublicKey
    secret: Ed25519PrivateKey = field(repr=False)

    def sign(self, content: bytes, comment: str) -> bytes:
        """The signature file of a content; the same content and comment give the same bytes."""
        signature = self.secret.sign(_digest(content))
        over_both = self.secret.sign(signature + comment.encode())
        lines = [
            f"{UNTRUSTED}signature by minisign key {self.public.name}",
            base64.b64encode(PREHASHED + self.public.key_id + signature).decode(),
            f"{TRUSTED}{comment}",
            base64.b64encode(over_both).decode(),
        ]
        return ("\n".join(lines) + "\n").encode()


def _digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=64).digest()


# --- signing and checking a release -------------------------------------------------------------------------


def sign_release(folder: Path, signer: Signer) -> Path:
    """Write the signature of a release's manifest into its folder, in place of an older one; returns its path.

    Errors: `ManifestError` when the folder holds no manifest.
    """
    manifest, content = read_manifest(folder), (folder / "manifest.json").read_bytes()
    # Written beside the release: what a killed process leaves half written must not stand in it.
    made = folder.parent / f"{PARTIAL}signature-{folder.name}"
    write_atomically(made, signer.sign(content, _comment(manifest, content)))
    return made.replace(folder / SIGNATURE)


def _comment(manifest: Manifest, content: bytes) -> str:
    """What the signature says besides: which release it is about, and the hash that `sha256sum` shows."""
    sha256 = hashlib.sha256(content).hexdigest()
    return f"release:{manifest.version} world:{manifest.world} file:manifest.json sha256:{sha256}"


def publish_key(public: Path, signer: Signer) -> None:
    """Write the public key beside `latest.json`, if it does not stand there yet."""
    path, content = public / PUBLIC_KEY, signer.public.file()
    if not path.exists() or path.read_bytes() != content:
        write_atomically(path, content)


def signature_fault(folder: Path, key: PublicKey) -> str | None:
    """Why a release is not known to be signed with this key, in a sentence; None if it is."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    path = folder / SIGNATURE
    if not path.is_file():
        return f"{SIGNATURE} is missing: the release is not signed"
    try:
        found = _read_signature(path)
        content = (folder / "manifest.json").read_bytes()
    except SigningError as error:
        return str(error)
    except OSError:
        return "manifest.json cannot be read"
    if found.key_id != key.key_id:
        other = PublicKey(found.key_id, b"").name
        return f"{SIGNATURE}: made with key {other}, not with the given key {key.name}"
    try:
        verifier = Ed25519PublicKey.from_public_bytes(key.raw)
        verifier.verify(found.signature, _digest(content) if found.is_prehashed else content)
        verifier.verify(found.over_both, found.signature + found.comment)
    except (InvalidSignature, ValueError):
        return f"{SIGNATURE}: does not hold for this manifest.json; one of the two was changed"
    return None


def describe_signature(folder: Path, key: PublicKey | None) -> str:
    """What is known of the signature of a release that has no fault, in a sentence."""
    if key:
        return f"signed with key {key.name}"
    if (folder / SIGNATURE).is_file():
        return "signed, but the signature was not checked: give the publisher's key as --public-key"
    return "not signed"


@dataclass(frozen=True)
class _Signature:
    is_prehashed: bool
    key_id: bytes
    signature: bytes
    comment: bytes
    over_both: bytes


def signature_form_fault(folder: Path) -> str | None:
    """What is wrong with the form of a release's signature, which shows without a key; None if nothing is."""
    path = folder / SIGNATURE
    try:
        if path.is_file():
            _read_signature(path)
    except SigningError as error:
        return str(error)
    return None


def _read_signature(path: Path) -> _Signature:
    lines = _lines(path)
    if len(lines) != 4 or not lines[0].startswith(UNTRUSTED.encode()) or not lines[2].startswith(TRUSTED.encode()):
        raise SigningError(f"{path.name}: not a signature as minisign writes it")
    blob, over_both = _decoded(lines[1], path), _decoded(lines[3], path)
    if len(blob) != len(PLAIN) + ID + SIGNED or blob[:2] not in (PLAIN, PREHASHED) or len(over_both) != SIGNED:
        raise SigningError(f"{path.name}: not a signature as minisign writes it")
    comment = lines[2].removeprefix(TRUSTED.encode())
    return _Signature(blob[:2] == PREHASHED, blob[2 : 2 + ID], blob[2 + ID :], comment, over_both)


# --- keys ---------------------------------------------------------------------------------------------------


def load_signer(environment: Mapping[str, str] | None = None) -> Signer | None:
    """The key that `ENGAGEMENT_SIGNING_KEY` names, None where it names none.

    A key with a password needs `ENGAGEMENT_KEY_PASSWORD`. Errors: `SigningError` naming the variable or the file.
    """
    given = os.environ if environment is None else environment
    place = given.get(KEY_VARIABLE, "").strip()
    return read_signer(Path(place), given.get(PASSWORD_VARIABLE)) if place else None


def new_keys(folder: Path, password: str | None) -> tuple[Path, Path]:
    """Write a new key pair, `minisign.key` for its owner alone and `minisign.pub`; returns both paths.

    With a password the secret key is encrypted with it. Errors: `SigningError` where a key stands already: one
    that is written over is lost.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    secret, public = folder / SECRET_KEY, folder / PUBLIC_KEY
    for path in (secret, public):
        if path.exists():
            raise SigningError(f"{path}: stands there already; choose another folder for a new key")
    key = Ed25519PrivateKey.generate()
    signer = Signer(PublicKey(secrets.token_bytes(ID), key.public_key().public_bytes_raw()), key)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(secret, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(_key_file(signer, password))
        public.write_bytes(signer.public.file())
    except OSError as error:
        raise SigningError(f"{folder}: no key can be written here ({error.strerror})") from None
    return secret, public


def _key_file(signer: Signer, password: str | None) -> bytes:
    pair = signer.secret.private_bytes_raw() + signer.public.raw
    private = signer.public.key_id + pair + _checksum(signer.public.key_id, pair)
    salt, kind, limits = bytes(SALT), NO_PASSWORD, (0, 0)
    if password:
        salt, kind, limits = secrets.token_bytes(SALT), SCRYPT, (OPERATIONS, MEMORY)
        private = _masked(private, password, salt, *limits)
    blob = PLAIN + kind + BLAKE2B + salt + b"".join(limit.to_bytes(8, "little") for limit in limits) + private
    said = "minisign encrypted secret key" if password else "minisign secret key, not encrypted"
    return f"{UNTRUSTED}{said}\n{base64.b64encode(blob).decode()}\n".encode()


def _checksum(key_id: bytes, pair: bytes) -> bytes:
    return hashlib.blake2b(PLAIN + key_id + pair, digest_size=CHECKSUM).digest()


def _masked(private: bytes, password: str, salt: bytes, operations: int, memory: int) -> bytes:
    """The secret part with the stream that a password gives; twice gives it back."""
    n, r, p = _scrypt_parameters(operations, memory)
    room = 128 * r * (n + p + 2)
    stream = hashlib.scrypt(password.encode(), salt=salt, n=n, r=r, p=p, maxmem=room, dklen=len(private))
    return bytes(one ^ other for one, other in zip(private, stream, strict=True))


def _scrypt_parameters(operations: int, memory: int) -> tuple[int, int, int]:
    """The N, r and p of scrypt that libsodium takes from its two limits (`crypto_pwhash_scryptsalsa208sha256`)."""
    r = 8
    operations = max(operations, 32_768)
    is_bound_by_operations = operations < memory // 32
    most = operations // (r * 4) if is_bound_by_operations else memory // (r * 128)
    exponent = next(e for e in range(1, 64) if 2**e > most // 2)
    if is_bound_by_operations:
        return 2**exponent, r, 1
    return 2**exponent, r, max(1, min(operations // 4 // 2**exponent, 0x3FFFFFFF) // r)


def read_signer(path: Path, password: str | None) -> Signer:
    """Read a secret key file, as written here or by minisign. Errors: `SigningError`."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    blob = _key_blob(path)
    kind, salt, private = blob[2:4], blob[6 : 6 + SALT], blob[54:]
    if kind == SCRYPT:
        if not password:
            raise SigningError(f"{path}: the key has a password; set {PASSWORD_VARIABLE}")
        limits = (int.from_bytes(blob[38:46], "little"), int.from_bytes(blob[46:54], "little"))
        private = _unmasked(path, private, password, salt, *limits)
    key_id, pair, checksum = private[:ID], private[ID : ID + SECRET], private[ID + SECRET :]
    # minisign leaves the checksum of a key without a password empty.
    if checksum != _checksum(key_id, pair) and (kind == SCRYPT or any(checksum)):
        wrong = f"wrong password in {PASSWORD_VARIABLE}" if kind == SCRYPT else "the file is damaged"
        raise SigningError(f"{path}: {wrong}")
    key = Ed25519PrivateKey.from_private_bytes(pair[:PUBLIC])
    if key.public_key().public_bytes_raw() != pair[PUBLIC:]:
        raise SigningError(f"{path}: the file is damaged: its two halves do not belong together")
    if path.stat().st_mode & 0o077:
        log.warning("the signing key can be read by others than its owner: chmod 600 its file")
    return Signer(PublicKey(key_id, pair[PUBLIC:]), key)


def _key_blob(path: Path) -> bytes:
    lines = _lines(path)
    blob = _decoded(lines[1], path) if len(lines) == 2 and lines[0].startswith(UNTRUSTED.encode()) else b""
    expected = 6 + SALT + 16 + ID + SECRET + CHECKSUM
    is_known = blob[:2] == PLAIN and blob[2:4] in (SCRYPT, NO_PASSWORD) and blob[4:6] == BLAKE2B
    if len(blob) != expected or not is_known:
        raise SigningError(f"{path}: not a secret key as minisign or `engagement keys new` writes it")
    return blob


def _unmasked(path: Path, private: bytes, password: str, salt: bytes, operations: int, memory: int) -> bytes:
    if memory > MOST_MEMORY or operations > 2**30:
        raise SigningError(f"{path}: opening it would take more than {MOST_MEMORY >> 20} MB; make another key")
    try:
        return _masked(private, password, salt, operations, memory)
    except (MemoryError, ValueError):
        raise SigningError(
            f"{path}: opening it takes {memory >> 20} MB, more than there are; `engagement keys new` makes others"
        ) from None


def read_public_key(given: str) -> PublicKey:
    """A public key as its one line, or the file that holds it. Errors: `SigningError`."""
    path = Path(given)
    try:
        is_file = path.is_file()
    except OSError:  # too long for a name, such as a page that was pasted
        is_file = False
    lines = _lines(path) if is_file else [given.strip().encode()]
    what = str(path) if is_file else "--public-key"
    try:
        blob = base64.b64decode(lines[-1] if lines else b"", validate=True)
    except binascii.Error:
        blob = b""
    if len(blob) != len(PLAIN) + ID + PUBLIC or blob[:2] != PLAIN:
        raise SigningError(f"{what}: not a public key of minisign, which is a line of 56 characters, nor its file")
    return PublicKey(blob[2 : 2 + ID], blob[2 + ID :])


def _lines(path: Path) -> list[bytes]:
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except OSError as error:
        raise SigningError(f"{path}: cannot be read ({error.strerror})") from None
    if len(content) > LARGEST:
        raise SigningError(f"{path}: too large for a key or a signature")
    return content.splitlines()


def _decoded(line: bytes, path: Path) -> bytes:
    try:
        found = base64.b64decode(line, validate=True)
    except binascii.Error:
        raise SigningError(f"{path.name}: damaged") from None
    if base64.b64encode(found) != line:  # the last letter carries bits of no byte, which a decoder drops unseen
        raise SigningError(f"{path.name}: damaged")
    return found
