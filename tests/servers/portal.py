"""CKAN on this machine, the data portal that releases are pushed to, with the servers that it needs.

Belongs here: starting and ending the portal, and looking into it as its operator. Does not belong here: what a
test expects of a push. Everything listens on 127.0.0.1 only and lives in a folder that goes with it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx

HERE = Path(__file__).resolve().parent / "ckan"
INSTALLED = HERE.parents[2] / "build" / "servers" / "ckan"
LOOPBACK = "127.0.0.1"
NOBODY = 65534
OPERATOR = "operator"
ORGANISATION = "data-project"
LARGEST_MEGABYTES = 2  # of an upload, so that a test meets the limit of a site
START_SECONDS = 90.0
STOP_SECONDS = 15.0


class PortalFailed(Exception):  # noqa: N818 - a verdict on the machine, not on the code under test
    """The portal did not start; the message says what to look at."""


@dataclass(frozen=True)
class Portal:
    """A running portal, the token of its operator, and the folder in which it keeps uploaded files."""

    address: str
    token: str
    storage: Path

    def act(
        self, action: str, content: Mapping[str, object] | None = None, token: str | None = None
    ) -> httpx.Response:
        """One raw call of an action, as the operator unless another token is given; empty for nobody."""
        given = self.token if token is None else token
        headers = {"Authorization": given} if given else {}
        address = f"{self.address}/api/3/action/{action}"
        return httpx.post(address, json=dict(content or {}), headers=headers, timeout=60.0)

    def stored(self) -> dict[str, bytes]:
        """Every uploaded file that is on the portal's disk, by where it lies."""
        return {str(path.relative_to(self.storage)): path.read_bytes() for path in self._files()}

    def _files(self) -> Iterator[Path]:
        return (path for path in sorted(self.storage.rglob("*")) if path.is_file())


@contextlib.contextmanager
def running_portal(installed: Path = INSTALLED) -> Iterator[Portal]:
    """Run a portal until the block ends; raises PortalFailed with the end of the log where it does not start."""
    if not (installed / "made-from").exists():
        raise PortalFailed(f"CKAN is not installed in {installed}: run `make test-servers`")
    # Not pytest's own folder: PostgreSQL, which runs as somebody else, must be able to pass through.
    state = Path(tempfile.mkdtemp(prefix="ckan-"))
    state.chmod(0o711)
    try:
        with contextlib.ExitStack() as servers, (state / "log").open("wb") as log:
            yield _start(installed / "python", state, _Servers(servers, log.fileno(), state / "log"))
    finally:
        shutil.rmtree(state, ignore_errors=True)


@dataclass(frozen=True)
class _Servers:
    """Processes that end with the block, the last first; all write to one log."""

    stack: contextlib.ExitStack
    output: int
    log: Path

    def start(self, command: list[str | Path], ready: Callable[[], bool], **options: object) -> None:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=self.output,
            stderr=subprocess.STDOUT,
            **options,  # type: ignore[call-overload]
        )
        self.stack.callback(_end, process)
        deadline = time.monotonic() + START_SECONDS
        while not ready():
            if process.poll() is not None or time.monotonic() > deadline:
                raise self.failed(str(command[0]))
            time.sleep(0.1)

    def run(self, command: list[str | Path], **options: object) -> str:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self.output,
            text=True,
            check=False,
            **options,  # type: ignore[call-overload]
        )
        if done.returncode:
            raise self.failed(f"{command[0]} {command[-1]}")
        return str(done.stdout)

    def failed(self, what: str) -> PortalFailed:
        tail = self.log.read_text(encoding="utf-8", errors="replace")[-3000:]
        return PortalFailed(
            f"{what} failed or did not start within {START_SECONDS:g} seconds; the log ends:\n{tail}"
        )


def _start(python: Path, state: Path, servers: _Servers) -> Portal:
    postgres, redis, solr, web = _free_ports(4)
    _start_postgres(postgres, state, servers)
    quiet = ["--save", "", "--appendonly", "no", "--dir", state]
    servers.start(["redis-server", "--port", str(redis), "--bind", LOOPBACK, *quiet], lambda: _listens(redis))
    schema = next((python / "lib").glob("python3*/site-packages/ckan/config/solr/schema.xml"))
    servers.start([python / "bin" / "python", HERE / "solr.py", str(solr), schema], lambda: _listens(solr))
    address = f"http://{LOOPBACK}:{web}"
    settings = state / "ckan.ini"
    settings.write_text(_settings(address, postgres, redis, solr, state), encoding="utf-8")
    ckan: list[str | Path] = [python / "bin" / "ckan", "-c", settings]
    servers.run([*ckan, "db", "init"])
    person = ["email=operator@example.invalid", "password=only-for-tests"]
    servers.run([*ckan, "user", "add", OPERATOR, *person])
    servers.run([*ckan, "sysadmin", "add", OPERATOR])
    token = servers.run([*ckan, "user", "token", "add", OPERATOR, "tests", "--quiet"]).strip().split()[-1]
    servers.start([*ckan, "run", "--host", LOOPBACK, "--port", str(web), "-r", "-t"], lambda: _answers(address))
    portal = Portal(address, token, state / "storage" / "resources")
    made = portal.act("organization_create", {"name": ORGANISATION})
    if made.status_code != httpx.codes.OK:
        raise servers.failed(f"making an organisation ({made.text})")
    return portal


def _settings(address: str, postgres: int, redis: int, solr: int, state: Path) -> str:
    return "\n".join(
        [
            "[app:main]",
            "use = egg:ckan",
            "SECRET_KEY = only-for-tests-on-this-machine",
            f"ckan.site_url = {address}",
            "ckan.site_id = tests",
            f"sqlalchemy.url = postgresql://tests@{LOOPBACK}:{postgres}/postgres",
            f"ckan.redis.url = redis://{LOOPBACK}:{redis}/0",
            f"solr_url = http://{LOOPBACK}:{solr}/solr/ckan",
            f"ckan.storage_path = {state / 'storage'}",
            f"ckan.max_resource_size = {LARGEST_MEGABYTES}",
            "ckan.plugins =",
            *("[loggers]", "keys = root", "[handlers]", "keys = console", "[formatters]", "keys = plain"),
            *("[logger_root]", "level = WARNING", "handlers = console"),
            *("[handler_console]", "class = StreamHandler", "args = (sys.stderr,)", "formatter = plain"),
            *("[formatter_plain]", "format = %(levelname)s %(name)s %(message)s"),
            "",
        ]
    )


def _start_postgres(port: int, state: Path, servers: _Servers) -> None:
    programs, data = _postgres_folder(), state / "postgres"
    data.mkdir(mode=0o700)
    options: dict[str, object] = {"cwd": "/"}
    if os.getuid() == 0:  # PostgreSQL refuses to run as root
        os.chown(data, NOBODY, NOBODY)
        options |= {"user": NOBODY, "group": NOBODY, "extra_groups": []}
    initialise = ["-D", data, "-U", "tests", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"]
    servers.run([programs / "initdb", *initialise], **options)
    flags = {"listen_addresses": LOOPBACK, "port": port, "unix_socket_directories": "", "fsync": "off"}
    given = [part for name, value in flags.items() for part in ("-c", f"{name}={value}")]
    asked = [programs / "pg_isready", "-q", "-h", LOOPBACK, "-p", str(port), "-U", "tests", "-d", "postgres"]
    servers.start(
        [programs / "postgres", "-D", data, *given],
        lambda: subprocess.run(asked, check=False).returncode == 0,
        **options,
    )


def _postgres_folder() -> Path:
    """Debian keeps the server's programs off the path, in one folder for each version."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    on_path = shutil.which("initdb")
    if not found and not on_path:
        raise PortalFailed("PostgreSQL is not installed: run tests/servers/ckan/install.sh")
    return found[-1].parent if found else Path(str(on_path)).resolve().parent


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind((LOOPBACK, 0))
        return [one.getsockname()[1] for one in sockets]


def _listens(port: int) -> bool:
    with socket.socket() as asked:
        return asked.connect_ex((LOOPBACK, port)) == 0


def _answers(address: str) -> bool:
    with contextlib.suppress(httpx.HTTPError):
        return httpx.get(f"{address}/api/3/action/status_show", timeout=30.0).status_code == httpx.codes.OK
    return False


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
