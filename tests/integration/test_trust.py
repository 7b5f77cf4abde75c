"""Trust in a release: signatures that minisign accepts and makes, provenance, contracts and addresses."""

from __future__ import annotations

import hashlib
import http.server
import logging
import os
import shutil
import stat
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import stamina
from click.testing import CliRunner, Result

from pipelines.cli import main
from pipelines.release.build import Outcome
from pipelines.release.contract_check import contract_faults
from pipelines.release.manifest import ReleaseError, read_manifest
from pipelines.release.provenance import PROVENANCE
from pipelines.release.signing import (
    SIGNATURE,
    PublicKey,
    Signer,
    SigningError,
    load_signer,
    new_keys,
    read_public_key,
    read_signer,
    sign_release,
    signature_fault,
)
from pipelines.release.tables import write_parquet
from pipelines.release.verify import verify_release
from tests.helpers import resealed
from tests.release_press import Press

PASSWORD = "zzpasswordcanary"  # noqa: S105 - planted, to be searched for
# Made by minisign 0.11 with the key below, of the text "the text\n".
VECTOR_KEY = "RWRYudJUXi9z4l/b/37t+GAuoDsAWjBaRa9eaGDhtTlIGzMckRAPZTQD"
VECTOR = """\
untrusted comment: signature from minisign secret key
RURYudJUXi9z4kS9/njgs6i+/t0Rtiqhq2FIqBXJse6+Ed2fy4mDd7ZjFa4x3pkGhjLRLSPjxpeoOizNL22OCvZDTYsYC9gbQQQ=
trusted comment: a fixed comment
qOZDK5a3JCfYjoChYwa/r8/h+8QYwGTo8VQpjn08YjQLpSpCU1dT84RCf1L8nT7YWGZd5YS20D6JQNx+Q1hEDw==
"""

needs_minisign = pytest.mark.skipif(
    shutil.which("minisign") is None and not os.environ.get("CI"),
    reason="the program minisign is not installed; Debian's package of that name brings it",
)


@dataclass(frozen=True)
class World:
    """A published and signed press, for reading only."""

    press: Press
    outcome: Outcome
    key: PublicKey

    @property
    def public(self) -> Path:
        return self.press.public


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("press")
    secret, public = new_keys(folder / "keys", None)
    press = Press(folder, secret)
    press.fill(1)
    press.release()
    press.fill(2)
    return World(press, press.release(), read_public_key(str(public)))


@pytest.fixture
def public(world: World, tmp_path: Path) -> Path:
    """A public folder that a test may spoil."""
    return Path(shutil.copytree(world.public, tmp_path / "public"))


@pytest.fixture
def release(public: Path) -> Path:
    return public / "v" / "2026.11.1"


def call(*arguments: str | Path) -> Result:
    """Run a command in this process; whatever it does, it must not end in a traceback."""
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    unexpected = result.exception if not isinstance(result.exception, SystemExit) else None
    assert unexpected is None, f"{type(unexpected).__name__}: {unexpected}"
    return result


def minisign(*arguments: str | Path, password: str = "") -> subprocess.CompletedProcess[str]:
    said = [str(argument) for argument in arguments]
    return subprocess.run(["minisign", *said], input=f"{password}\n", capture_output=True, text=True, check=False)


# --- signatures ---------------------------------------------------------------------------------------------


@needs_minisign
def test_minisign_accepts_the_signature_of_a_release(world: World) -> None:
    key = world.public / "minisign.pub"
    found = minisign("-V", "-m", world.outcome.folder / "manifest.json", "-p", key)
    assert found.returncode == 0, found.stderr
    sha256 = hashlib.sha256((world.outcome.folder / "manifest.json").read_bytes()).hexdigest()
    assert f"release:2026.11.1 world:sample file:manifest.json sha256:{sha256}" in found.stdout


@needs_minisign
def test_minisign_refuses_a_manifest_that_was_changed(world: World, release: Path) -> None:
    manifest = release / "manifest.json"
    manifest.write_bytes(manifest.read_bytes().replace(b"Nobody", b"Anybody"))
    assert minisign("-V", "-m", manifest, "-P", world.key.encoded).returncode != 0
    assert "one of the two was changed" in str(signature_fault(release, world.key))


@needs_minisign
@pytest.mark.parametrize("options", [[], ["-l"]], ids=["prehashed", "legacy"])
def test_a_signature_that_minisign_made_is_accepted(world: World, release: Path, options: list[str]) -> None:
    assert world.press.signing_key is not None
    made = minisign("-S", *options, "-m", release / "manifest.json", "-s", world.press.signing_key)
    assert made.returncode == 0, made.stderr
    assert "release:" not in (release / SIGNATURE).read_text(encoding="utf-8"), "it is minisign's own"
    assert verify_release(release, world.key) == []


@needs_minisign
@pytest.mark.parametrize("password", ["", PASSWORD, "pä ss"])
def test_each_reads_the_keys_of_the_other(tmp_path: Path, password: str) -> None:
    text = tmp_path / "text"
    text.write_text("the text\n", encoding="utf-8")
    secret, public = new_keys(tmp_path / "ours", password or None)
    made = minisign("-S", "-m", text, "-s", secret, password=password)
    assert made.returncode == 0, made.stderr
    assert minisign("-V", "-m", text, "-p", public).returncode == 0
    if not password:  # minisign asks for a new password on a terminal only
        theirs = tmp_path / "theirs"
        assert minisign("-G", "-W", "-p", f"{theirs}.pub", "-s", f"{theirs}.key").returncode == 0
        signer = read_signer(Path(f"{theirs}.key"), None)
        assert signer.public == read_public_key(f"{theirs}.pub")


def test_a_fixed_signature_of_minisign_holds(release: Path) -> None:
    (release / "manifest.json").write_bytes(b"the text\n")
    (release / SIGNATURE).write_text(VECTOR, encoding="utf-8")
    key = read_public_key(VECTOR_KEY)
    assert signature_fault(release, key) is None
    (release / "manifest.json").write_bytes(b"another text\n")
    assert signature_fault(release, key) is not None


def test_the_same_manifest_and_key_give_the_same_signature(world: World, release: Path) -> None:
    assert world.press.signing_key is not None
    before = (release / SIGNATURE).read_bytes()
    sign_release(release, read_signer(world.press.signing_key, None))
    assert (release / SIGNATURE).read_bytes() == before


def test_no_changed_byte_of_a_signature_goes_unseen(world: World, release: Path) -> None:
    """Except in the first line, whose name says that nobody vouches for it."""
    path = release / SIGNATURE
    good = path.read_bytes()
    for place in range(good.index(b"\n") + 1, len(good) - 1):
        path.write_bytes(good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :])
        assert str(signature_fault(release, world.key)).startswith(SIGNATURE), place


def test_another_spelling_of_the_same_signature_is_damage(release: Path) -> None:
    """`w` and `x` before `==` decode to the same byte; only one of them is what minisign writes."""
    (release / "manifest.json").write_bytes(b"the text\n")
    (release / SIGNATURE).write_text(VECTOR.replace("hEDw==", "hEDx=="), encoding="utf-8")
    assert signature_fault(release, read_public_key(VECTOR_KEY)) == f"{SIGNATURE}: damaged"


@pytest.mark.parametrize("content", [b"", b"\n\n\n\n", b"x" * 5000, b"\xff" * 100])
def test_what_is_no_signature_is_called_so_even_without_a_key(world: World, release: Path, content: bytes) -> None:
    (release / SIGNATURE).write_bytes(content)
    (fault,) = verify_release(release)
    assert SIGNATURE in fault
    assert SIGNATURE in str(signature_fault(release, world.key))


def test_signing_again_with_another_key_changes_nothing_but_the_signature(
    world: World, public: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def contents() -> dict[str, bytes]:
        return {str(p.relative_to(public)): p.read_bytes() for p in public.rglob("*") if p.is_file()}

    secret, other = new_keys(tmp_path / "other", None)
    monkeypatch.setenv("ENGAGEMENT_SIGNING_KEY", str(secret))
    before = contents()
    home = tmp_path / "home"
    home.mkdir()
    public.rename(home / "public")
    signed = call("sign", "2026.11.0", "latest", "--home", home)
    assert signed.exit_code == 0, signed.output
    public = home / "public"
    after = contents()
    changed = {name for name in after if after[name] != before.get(name)}
    assert changed == {"minisign.pub", *(f"v/2026.11.{n}/{SIGNATURE}" for n in (0, 1))}
    assert call("verify", public, "--public-key", other).exit_code == 0
    refused = call("verify", public, "--public-key", world.key.encoded)
    assert refused.exit_code == 1
    assert f"not with the given key {world.key.name}" in refused.output


def test_what_does_not_verify_is_not_signed(
    world: World, release: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ENGAGEMENT_SIGNING_KEY", str(world.press.signing_key))
    (release / "things.parquet").write_bytes(b"PAR1")
    before = (release / SIGNATURE).read_bytes()
    result = call("sign", release, "--home", tmp_path)
    assert result.exit_code == 1
    assert "things.parquet" in result.output
    assert (release / SIGNATURE).read_bytes() == before


def test_verify_says_what_it_knows_of_the_signature(world: World, release: Path) -> None:
    assert "the signature was not checked" in call("verify", release).output
    assert f"signed with key {world.key.name}" in call("verify", release, "--public-key", world.key.encoded).output
    (release / SIGNATURE).unlink()
    assert call("verify", release).output.endswith("not signed\n")
    assert "the release is not signed" in call("verify", release, "--public-key", world.key.encoded).output


def test_a_signature_that_does_not_read_back_stops_the_release(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret, _ = new_keys(tmp_path / "keys", None)
    press = Press(tmp_path, secret)
    press.fill()
    sign = Signer.sign
    monkeypatch.setattr(Signer, "sign", lambda self, content, comment: sign(self, content + b"x", comment))
    with pytest.raises(ReleaseError, match=r"do not read back: manifest\.json\.minisig"):
        press.release()
    assert not (press.public / "v").exists()


# --- keys ---------------------------------------------------------------------------------------------------


def test_a_new_key_is_for_its_owner_alone_and_is_never_written_over(tmp_path: Path) -> None:
    made = call("keys", "new", tmp_path / "keys")
    assert made.exit_code == 0
    assert "whoever has the file can sign" in made.output
    secret = tmp_path / "keys" / "minisign.key"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    before = secret.read_bytes()
    again = call("keys", "new", tmp_path / "keys")
    assert again.exit_code == 2
    assert "stands there already" in again.output
    assert secret.read_bytes() == before


def test_no_secret_is_in_what_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("ENGAGEMENT_KEY_PASSWORD", PASSWORD)
    made = call("keys", "new", tmp_path / "keys")
    secret = tmp_path / "keys" / "minisign.key"
    secret.chmod(0o644)
    monkeypatch.setenv("ENGAGEMENT_SIGNING_KEY", str(secret))
    with caplog.at_level(logging.DEBUG):
        signer = load_signer()
    assert signer is not None
    assert "chmod 600" in caplog.text
    with pytest.raises(SigningError, match="wrong password in ENGAGEMENT_KEY_PASSWORD") as wrong:
        load_signer({"ENGAGEMENT_SIGNING_KEY": str(secret), "ENGAGEMENT_KEY_PASSWORD": f"{PASSWORD}2"})
    with pytest.raises(SigningError, match="set ENGAGEMENT_KEY_PASSWORD"):
        load_signer({"ENGAGEMENT_SIGNING_KEY": str(secret)})
    raw = signer.secret.private_bytes_raw()
    said = f"{made.output}{caplog.text}{signer!r}{wrong.value}"
    for planted in (PASSWORD, raw.hex(), repr(raw)[2:-1], secret.read_text(encoding="utf-8").splitlines()[1]):
        assert planted not in said


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "cannot be read"),
        (b"", "not a secret key"),
        (b"untrusted comment: x\nAAAA\n", "not a secret key"),
        (b"untrusted comment: x\n%%%%\n", "damaged"),
        (b"x" * 10_000, "too large"),
    ],
)
def test_a_key_that_cannot_be_used_stops_a_publish_before_it_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None, sentence: str
) -> None:
    path = tmp_path / "a.key"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setenv("ENGAGEMENT_SIGNING_KEY", str(path))
    result = call("publish", "--home", tmp_path / "home", "--offline")
    assert result.exit_code == 2
    assert sentence in result.output
    assert not list((tmp_path / "home").rglob("*.duckdb")), "nothing was begun"


def test_a_damaged_key_is_called_so(tmp_path: Path) -> None:
    secret, _ = new_keys(tmp_path, None)
    text = secret.read_bytes()
    middle = len(text) // 2
    secret.write_bytes(text[:middle] + (b"A" if text[middle : middle + 1] != b"A" else b"B") + text[middle + 1 :])
    with pytest.raises(SigningError, match="damaged"):
        read_signer(secret, None)


# --- provenance ---------------------------------------------------------------------------------------------


def test_provenance_is_a_statement_as_in_toto_reads_it(world: World) -> None:
    from google.protobuf.json_format import ParseDict
    from in_toto_attestation.predicates.provenance.v1.provenance_pb2 import Provenance
    from in_toto_attestation.v1.statement import Statement

    said = orjson.loads((world.outcome.folder / PROVENANCE).read_bytes())
    Statement.copy_from_pb(ParseDict(said, Statement([], "", {}).pb)).validate()
    predicate = ParseDict(said["predicate"], Provenance())
    dependencies = {d.name: d.digest["sha256"] for d in predicate.build_definition.resolved_dependencies}
    lock = Path(__file__).parents[2] / "requirements.lock"
    assert dependencies == {
        "thing_list": "ab" * 32,
        "contracts, queries and functions": "0" * 64,
        "requirements.lock": hashlib.sha256(lock.read_bytes()).hexdigest(),
    }
    assert predicate.run_details.builder.id
    assert not predicate.run_details.HasField("metadata"), "no clock"
    subjects = {subject["name"]: subject["digest"]["sha256"] for subject in said["subject"]}
    present = {str(p.relative_to(world.outcome.folder)) for p in world.outcome.folder.rglob("*") if p.is_file()}
    assert set(subjects) == present - {PROVENANCE, "manifest.json", "SHA256SUMS", SIGNATURE}
    for name, sha256 in subjects.items():
        assert sha256 == hashlib.sha256((world.outcome.folder / name).read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda said: said["predicate"]["buildDefinition"]["resolvedDependencies"].pop(0), "leaves out inputs"),
        (
            lambda said: said["predicate"]["buildDefinition"]["externalParameters"].update(version="1"),
            "other files",
        ),
        (lambda said: said.pop("predicate"), "not a statement"),
    ],
)
def test_provenance_that_does_not_fit_the_release_is_caught(
    release: Path, spoil: Callable[[dict[str, Any]], Any], sentence: str
) -> None:
    (release / SIGNATURE).unlink()
    said = orjson.loads((release / PROVENANCE).read_bytes())
    spoil(said)
    (release / PROVENANCE).write_bytes(orjson.dumps(said))
    resealed(release)
    (fault,) = verify_release(release)
    assert fault.startswith(PROVENANCE)
    assert sentence in fault


# --- contracts ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "value", "rule"),
    [
        ("thing_count", -1, "thing_count_range"),
        ("thing_count", 5000, "note_if_many"),
        ("note", "=cmd()", "note_text"),
        ("thing_code", "A", "key_unique"),
    ],
)
def test_rows_that_break_the_released_contract_are_caught(
    world: World, column: str, value: object, rule: str
) -> None:
    folder = world.outcome.folder
    table = pq.read_table(folder / "things.parquet")
    values = table[column].to_pylist()
    values[-1] = value
    spoilt = table.set_column(
        table.column_names.index(column), table.schema.field(column), pa.array(values, table[column].type)
    )
    entry = read_manifest(folder).dataset("things")
    assert list(contract_faults(folder / "contracts" / "things.json", entry, table)) == []
    faults = list(contract_faults(folder / "contracts" / "things.json", entry, spoilt))
    assert faults == [f"things: 1 rows break the rule {rule} of its contract"]


@pytest.mark.parametrize(
    "expression",
    [
        "thing_count in (select 1)",
        "exists (select * from read_text('/etc/hostname'))",
        "true), false)) from rows union select count(*) from rows --",
        "true), false)) from read_text('/etc/hostname') --",
        "true), false)) from rows; select 1 --",
        "no such syntax",
        "no_such_function(thing_count)",
    ],
)
def test_a_contract_cannot_make_a_verifier_run_more_than_an_expression(
    world: World, tmp_path: Path, expression: str
) -> None:
    folder = world.outcome.folder
    written = orjson.loads((folder / "contracts" / "things.json").read_bytes())
    written["schema"][0]["quality"][1]["implementation"] = expression
    (tmp_path / "things.json").write_bytes(orjson.dumps(written))
    table, entry = pq.read_table(folder / "things.parquet"), read_manifest(folder).dataset("things")
    differs, refused = contract_faults(tmp_path / "things.json", entry, table)
    assert "is not the contract that the manifest speaks of" in differs
    assert "a rule of its contract" in refused


def test_a_resealed_release_with_broken_rows_does_not_verify(release: Path, world: World) -> None:
    from pipelines.contract import released_contract

    contract = released_contract(release / "contracts" / "things.json")
    table = pq.read_table(release / "things.parquet")
    counts = pa.array([-1, *table["thing_count"].to_pylist()[1:]], pa.int64())
    write_parquet(table.set_column(1, table.schema.field(1), counts), contract, release / "things.parquet")
    resealed(release)
    faults = verify_release(release, world.key)
    assert [fault for fault in faults if fault.startswith(SIGNATURE)], "the key tells"
    (release / SIGNATURE).unlink()
    assert verify_release(release) == ["things: 1 rows break the rule thing_count_range of its contract"]


@pytest.mark.parametrize(
    "path", ["../outside", "/etc/hostname", "a/../../b", ".hidden", "a b", "SHA256SUMS", "a\\b"]
)
def test_a_manifest_cannot_lead_out_of_its_folder(release: Path, path: str) -> None:
    described = orjson.loads((release / "manifest.json").read_bytes())
    described["files"][0]["path"] = path
    (release / "manifest.json").write_bytes(orjson.dumps(described))
    assert any("is not the name of a file of a release" in fault for fault in verify_release(release))


def test_a_file_that_only_the_checksums_list_is_caught(release: Path) -> None:
    (release / SIGNATURE).unlink()
    (release / "extra.txt").write_text("extra", encoding="utf-8")
    resealed(release)
    assert verify_release(release) == ["extra.txt: the manifest does not list it"]


# --- at an address ------------------------------------------------------------------------------------------


@dataclass
class Site:
    """A web server of a folder on this machine that can be told to answer otherwise."""

    folder: Path
    address: str = ""
    # By path: status, headers and body instead of the file.
    instead: dict[str, tuple[int, dict[str, str], bytes]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    sent: dict[str, int] = field(default_factory=dict)


@pytest.fixture
def site(public: Path) -> Iterator[Site]:
    found = Site(public)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.asked.append(self.path)
            path = public / self.path.lstrip("/")
            if self.path in found.instead:
                status, headers, body = found.instead[self.path]
            elif path.is_file():
                # A type that is wrong does not matter: the bytes do.
                status, headers, body = 200, {"Content-Type": "text/html"}, path.read_bytes()
            else:
                status, headers, body = 404, {}, b"<html>not here</html>"
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            found.sent[self.path] = 0
            try:
                for start in range(0, len(body), 1 << 16):
                    self.wfile.write(body[start : start + (1 << 16)])
                    found.sent[self.path] += min(1 << 16, len(body) - start)
            except OSError:
                self.close_connection = True

        def log_message(self, *arguments: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        found.address = f"http://127.0.0.1:{server.server_port}/"
        with stamina.set_testing(True, attempts=2):
            yield found
        server.shutdown()
        thread.join()


RELEASE = "/v/2026.11.1/"


def test_the_newest_release_of_an_address_verifies(site: Site, world: World) -> None:
    result = call("verify", site.address, "--public-key", world.key.encoded)
    assert result.exit_code == 0, result.output
    assert "2026.11.1 verifies: 2 datasets, 4 rows" in result.output
    assert f"signed with key {world.key.name}" in result.output
    assert len(site.asked) == len(set(site.asked)), "nothing is asked for twice"


@pytest.mark.parametrize("tail", ["v/2026.11.0/", "v/2026.11.0", "v/2026.11.0/index.html"])
def test_one_release_at_an_address_verifies(site: Site, tail: str) -> None:
    result = call("verify", f"{site.address}{tail}")
    assert result.exit_code == 0, result.output
    assert "2026.11.0 verifies" in result.output
    assert all(path.startswith("/v/2026.11.0/") for path in site.asked)


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ((404, {}, b"no"), "things.parquet: is not there (status 404)"),
        ((403, {}, b"no"), "things.parquet: cannot be had (status 403)"),
        ((503, {}, b"no"), "things.parquet: cannot be had (status 503)"),
        ((200, {}, b"PAR1"), "things.parquet: ends after 4 of "),
        ((200, {"Content-Length": "100000"}, b"PAR1"), "things.parquet: the connection broke off after 4 bytes"),
        ((200, {}, b"<!DOCTYPE html><p>Sorry"), "things.parquet: a web page came instead of the file"),
        ((200, {}, b"x" * 50_000_000), "things.parquet: is larger than the "),
        ((302, {"Location": "https://other.example/x"}, b""), "the server leads to another one, other.example"),
        ((302, {"Location": f"{RELEASE}things.parquet"}, b""), "the server leads in circles"),
    ],
)
def test_a_file_that_does_not_come_is_named_with_the_reason(
    site: Site, answer: tuple[int, dict[str, str], bytes], sentence: str
) -> None:
    site.instead[f"{RELEASE}things.parquet"] = answer
    result = call("verify", site.address)
    assert result.exit_code == 1
    assert sentence in result.output
    assert site.sent[f"{RELEASE}things.parquet"] < 30_000_000, "no more is read than there may be"
    assert "other.csv" not in result.output
    assert "Traceback" not in result.output


def test_a_file_with_other_bytes_of_the_same_length_is_named(site: Site, release: Path) -> None:
    good = (release / "stuff.csv.gz").read_bytes()
    site.instead[f"{RELEASE}stuff.csv.gz"] = (200, {"Content-Encoding": "br"}, good[:-1] + b"x")
    result = call("verify", site.address)
    assert "stuff.csv.gz: its SHA-256 is not the one in the manifest (the server packs it as br" in result.output


def test_a_file_that_the_server_calls_packed_is_taken_as_stored(site: Site, release: Path) -> None:
    headers = {"Content-Encoding": "gzip"}
    site.instead[f"{RELEASE}stuff.csv.gz"] = (200, headers, (release / "stuff.csv.gz").read_bytes())
    assert call("verify", site.address).exit_code == 0


def test_a_file_that_moved_on_the_same_server_is_followed(site: Site, public: Path, release: Path) -> None:
    shutil.copy(release / "stuff.csv.gz", public / "moved")
    site.instead[f"{RELEASE}stuff.csv.gz"] = (301, {"Location": "/moved"}, b"")
    assert call("verify", site.address).exit_code == 0


@pytest.mark.parametrize(
    ("name", "body", "sentence"),
    [
        ("/latest.json", b"<html>hello", "latest.json: a web page came"),
        ("/latest.json", b"{}", "latest.json: damaged"),
        (f"{RELEASE}manifest.json", b"{}", "manifest.json: not a manifest"),
        (f"{RELEASE}SHA256SUMS", b"", "SHA256SUMS"),
        ("/versions.json", b"{}", "versions.json: does not follow"),
        ("/catalog.json", b"{}", "catalog.json: does not follow"),
        ("/v/2026.11.0/manifest.json", b"<html>gone", "v/2026.11.0/manifest.json: a web page came"),
    ],
)
def test_lists_that_are_not_what_they_should_be_are_named(
    site: Site, name: str, body: bytes, sentence: str
) -> None:
    site.instead[name] = (200, {}, body)
    result = call("verify", site.address)
    assert result.exit_code == 1
    assert sentence in result.output
    assert "engagement-verify-" not in result.output, "no folder of this machine"


def test_a_pinned_version_that_vanished_is_named(site: Site, public: Path) -> None:
    shutil.rmtree(public / "v" / "2026.11.0")
    assert "v/2026.11.0/manifest.json: is not there (status 404)" in call("verify", site.address).output


def test_a_pointer_to_another_manifest_is_caught(site: Site, public: Path) -> None:
    pointer = orjson.loads((public / "latest.json").read_bytes()) | {"manifest_sha256": "0" * 64}
    (public / "latest.json").write_bytes(orjson.dumps(pointer))
    assert "latest.json: names another manifest.json" in call("verify", site.address).output


@pytest.mark.parametrize("version", ["../../x", "2026.11.0/..", "2026.11.9"])
def test_a_pointer_cannot_lead_out_of_the_place(site: Site, public: Path, version: str) -> None:
    pointer = orjson.loads((public / "latest.json").read_bytes()) | {"version": version, "path": f"v/{version}"}
    (public / "latest.json").write_bytes(orjson.dumps(pointer))
    result = call("verify", site.address)
    assert result.exit_code == 1
    assert "latest.json: does not name a release" in result.output or "is not there" in result.output


def test_an_older_release_under_the_address_of_a_newer_one_is_caught(site: Site, public: Path) -> None:
    shutil.rmtree(public / "v" / "2026.11.1")
    shutil.copytree(public / "v" / "2026.11.0", public / "v" / "2026.11.1")
    result = call("verify", f"{site.address}v/2026.11.1/")
    assert "the folder is called 2026.11.1 but the manifest says 2026.11.0" in result.output


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("http://data.example/", "begins with https://"),
        ("ftp://data.example/", "begins with https://"),
        ("file:///etc/", "begins with https://"),
        ("https://user:secret@data.example/", "without user"),
        ("https://data.example/?a=b", "without user, query"),
        ("http://127.0.0.1:1/", "latest.json: cannot be fetched"),
        ("http://127.0.0.1:x/", "error: "),
        ("http://[/", "error: "),
    ],
)
def test_an_address_that_cannot_be_used_is_told_apart(address: str, sentence: str) -> None:
    with stamina.set_testing(True, attempts=1):
        result = call("verify", address)
    assert result.exit_code == 1
    assert sentence in result.output
    assert "secret" not in result.output
