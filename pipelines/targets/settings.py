"""The list of targets: what `targets.yml` may say, and the credentials that it names.

Belongs here: the shape of the file, and reading a credential from the environment. Does not belong here: talking
to a target. A credential itself never stands in the file and is never part of a message.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Literal, get_args
from urllib.parse import urlsplit

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from pipelines.settings import SettingsError

FILE = "targets.yml"
# A name with an underscore: an access key such as those of Amazon has none and so is not taken for a name.
VARIABLE = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)+")


def _variable(name: str) -> str:
    if not VARIABLE.fullmatch(name):
        raise ValueError(
            "give the name of an environment variable, in capitals and with an underscore, never a credential"
        )
    return name


def _address(address: str) -> str:
    """An address of a server without anything that might be a secret."""
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("give an address that starts with https:// or http://")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("give the address without user, password, query or fragment; credentials have own keys")
    return address.rstrip("/")


Variable = Annotated[str, AfterValidator(_variable)]
Address = Annotated[str, AfterValidator(_address)]


class TargetSettings(BaseModel):
    """What every target has; `title` says in a few words whose it is, for messages and lists."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str | None = None


class FolderSettings(TargetSettings):
    """A folder that a web server serves; relative paths start at the file of targets."""

    kind: Literal["folder"]
    path: Path


class S3Settings(TargetSettings):
    """A bucket of a store that speaks S3; `prefix` is a folder in it, the whole bucket where none is given.

    `endpoint` is the store's address, Amazon's of that region where none is given. The last three name the
    environment variables that hold the credentials. `timeout_seconds` bounds each silence of the store.
    """

    kind: Literal["s3"]
    bucket: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")
    prefix: str = Field(default="", pattern=r"^([A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*)?$")
    region: str = Field(default="us-east-1", pattern=r"^[a-z0-9-]+$")
    endpoint: Address | None = None
    access_key: Variable = "AWS_ACCESS_KEY_ID"
    secret_key: Variable = "AWS_SECRET_ACCESS_KEY"  # noqa: S105 - the name of a variable
    session_token: Variable | None = None
    timeout_seconds: float = Field(default=60.0, gt=0)


class CkanSettings(TargetSettings):
    """A dataset of a portal that runs CKAN; `organisation` is the short name of the one that publishes it there.

    Files of more than `largest_megabytes` (CKAN's own limit is 10 unless a portal raises it), or all where
    `uploads` is false, are links to where they stand below `base_url`. `token` names the variable with the token.
    """

    kind: Literal["ckan"]
    endpoint: Address
    dataset: str = Field(pattern=r"^[a-z0-9_-]{2,100}$")
    organisation: str = Field(pattern=r"^[a-z0-9_-]{2,100}$")
    uploads: bool = True
    largest_megabytes: float = Field(default=10.0, gt=0)
    base_url: Address | None = None
    token: Variable = "CKAN_API_TOKEN"  # noqa: S105 - the name of a variable
    timeout_seconds: float = Field(default=300.0, gt=0)


class ZenodoSettings(TargetSettings):
    """Zenodo, or its sandbox; `record` is the number of the record that gets new versions, none before the first.

    `token` names the variable with a personal access token that may write and publish deposits.
    """

    kind: Literal["zenodo"]
    endpoint: Address = "https://zenodo.org"
    record: str | None = Field(default=None, pattern=r"^[0-9]{1,12}$")
    token: Variable = "ZENODO_TOKEN"  # noqa: S105 - the name of a variable
    timeout_seconds: float = Field(default=120.0, gt=0)


class HubSettings(TargetSettings):
    """A dataset repository of the Hugging Face Hub, made by the first push where it is not there.

    `token` names the variable with an access token that may write to it.
    """

    kind: Literal["huggingface"]
    endpoint: Address = "https://huggingface.co"
    repository: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}$")
    token: Variable = "HF_TOKEN"  # noqa: S105 - the name of a variable
    timeout_seconds: float = Field(default=300.0, gt=0)


# A further kind is one class above, a name here, and a line in `opening`.
AnySettings = Annotated[
    FolderSettings | S3Settings | CkanSettings | ZenodoSettings | HubSettings, Field(discriminator="kind")
]


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    targets: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")], AnySettings] = Field(min_length=1)


def targets_file() -> Path:
    """`ENGAGEMENT_TARGETS`, or `targets.yml` in the current folder."""
    return Path(os.environ.get("ENGAGEMENT_TARGETS", FILE)).resolve()


def load_targets(path: Path) -> dict[str, AnySettings]:
    """Read a list of targets by name. Errors: `SettingsError`, which never quotes a value of the file."""
    try:
        parsed = _File.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise SettingsError(f"no list of targets at {path}: write one, or name it in ENGAGEMENT_TARGETS") from None
    except ValidationError as error:
        faults = [f"{_place(fault['loc'])}: {_said(fault['type'], fault['msg'])}" for fault in error.errors()]
        raise SettingsError(f"{path.name}: not a usable list of targets: {'; '.join(faults)}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f" near line {mark.line + 1}" if mark else ""
        raise SettingsError(f"{path.name}: not a usable list of targets: not readable as YAML{line}") from None
    except OSError as error:
        raise SettingsError(f"{path.name}: cannot be read: {error.strerror}") from None
    return {name: _placed(settings, path.parent) for name, settings in parsed.targets.items()}


def one_target(targets: dict[str, AnySettings], name: str) -> AnySettings:
    """The settings of one target. Errors: `SettingsError` where none is called so."""
    if name not in targets:
        raise SettingsError(f"no target {name!r}: the list has {', '.join(sorted(targets))}")
    return targets[name]


def credential(target: str, variable: str) -> str:
    """What an environment variable holds. Errors: `SettingsError` where it is empty or not set."""
    value = os.environ.get(variable, "")
    if not value.strip():
        raise SettingsError(f"target {target}: set the environment variable {variable}, which it signs in with")
    return value.strip()


def _placed(settings: AnySettings, folder: Path) -> AnySettings:
    if not isinstance(settings, FolderSettings):
        return settings
    path = Path(os.path.expandvars(settings.path)).expanduser()
    return settings.model_copy(update={"path": (folder / path).resolve()})


def _place(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location) or "the file"


def _said(kind: str, message: str) -> str:
    """The fault in words; a file that is no list says so, and the words of pydantic never quote a value."""
    if kind == "union_tag_invalid":
        # The message quotes what was given, which might be anything.
        return "kind is one of " + ", ".join(_kinds())
    if kind == "union_tag_not_found":
        return "say its kind, one of " + ", ".join(_kinds())
    return message.removeprefix("Value error, ").lower() if kind != "value_error" else message.split(", ", 1)[1]


def _kinds() -> list[str]:
    """Every kind of target that there is."""
    union, _ = get_args(AnySettings)
    return sorted(get_args(settings.model_fields["kind"].annotation)[0] for settings in get_args(union))
