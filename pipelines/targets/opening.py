"""From the settings of a target to the target: the one place that knows every kind.

Belongs here: which class follows from which kind, and signing in. Does not belong here: what a target does.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.settings import SettingsError
from pipelines.targets.settings import (
    AnySettings,
    CkanSettings,
    FolderSettings,
    HubSettings,
    S3Settings,
    ZenodoSettings,
    credential,
)
from pipelines.targets.target import Target

if TYPE_CHECKING:
    from obstore.store import S3Credential


def open_target(name: str, settings: AnySettings, public: Path) -> Target:
    """The target that a name in the list stands for; `public` is what will be pushed.

    Errors: `SettingsError` where a credential is missing, or a folder lies inside of what is pushed.
    """
    if isinstance(settings, FolderSettings):
        return _folder(name, settings, public)
    if isinstance(settings, CkanSettings):
        return _ckan(name, settings)
    if isinstance(settings, ZenodoSettings):
        return _zenodo(name, settings)
    if isinstance(settings, HubSettings):
        return _hub(name, settings)
    return _s3(name, settings)


def _folder(name: str, settings: FolderSettings, public: Path) -> Target:
    from obstore.store import LocalStore

    from pipelines.targets.objects import ObjectTarget
    from pipelines.targets.store import DiskObjects

    path, public = settings.path, public.resolve()
    if path.is_relative_to(public) or public.is_relative_to(path):
        raise SettingsError(f"target {name}: {path} and {public} lie in one another: choose another folder")
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"target {name}: {path} cannot be made: {error.strerror}") from None
    store = LocalStore(path, automatic_cleanup=True)
    return ObjectTarget(name, DiskObjects(name, store, str(path), has_headers=False, root=path))


def _s3(name: str, settings: S3Settings) -> Target:
    from obstore.store import S3Store

    from pipelines.targets.objects import ObjectTarget
    from pipelines.targets.store import Objects

    key, secret = credential(name, settings.access_key), credential(name, settings.secret_key)
    variables = [settings.access_key, settings.secret_key]
    endpoint = settings.endpoint or f"https://s3.{settings.region}.amazonaws.com"
    token = None
    if settings.session_token:
        token = credential(name, settings.session_token)
        variables.append(settings.session_token)

    def signed_in() -> S3Credential:
        return {"access_key_id": key, "secret_access_key": secret, "token": token, "expires_at": None}

    patience = timedelta(seconds=settings.timeout_seconds)
    store = S3Store(
        settings.bucket,
        prefix=settings.prefix or None,
        # Given in full, so that nothing is taken from variables that are meant for other programs.
        endpoint=endpoint,
        aws_endpoint_url_s3=endpoint,
        region=settings.region,
        virtual_hosted_style_request=False,
        skip_signature=False,
        disable_bulk_delete=True,  # one request that every store knows
        conditional_put="etag",
        credential_provider=signed_in,
        client_options={
            "allow_http": endpoint.startswith("http://"),
            "connect_timeout": patience,
            "read_timeout": patience,
            "timeout": timedelta(hours=6),  # of a whole request: a large file on a slow line
            "user_agent": "councillor-engagement",
        },
        retry_config={"max_retries": 3, "retry_timeout": timedelta(minutes=3)},
    )
    place = f"{endpoint}/{settings.bucket}/{settings.prefix}".rstrip("/")
    return ObjectTarget(name, Objects(name, store, place, tuple(variables)))


def _ckan(name: str, settings: CkanSettings) -> Target:
    from pipelines.targets.ckan import MEGABYTE, CkanTarget, Link
    from pipelines.targets.web import open_site

    token = credential(name, settings.token)
    site = open_site(name, settings.endpoint, settings.token, token, settings.timeout_seconds)
    link = Link(settings.base_url, int(settings.largest_megabytes * MEGABYTE), settings.uploads)
    return CkanTarget(name, site, settings.dataset, settings.organisation, link)


def _zenodo(name: str, settings: ZenodoSettings) -> Target:
    from pipelines.targets.web import open_site
    from pipelines.targets.zenodo import ZenodoTarget

    token = f"Bearer {credential(name, settings.token)}"
    site = open_site(name, settings.endpoint, settings.token, token, settings.timeout_seconds)
    return ZenodoTarget(name, site, settings.record)


def _hub(name: str, settings: HubSettings) -> Target:
    from pipelines.targets.huggingface import HubTarget
    from pipelines.targets.web import open_site

    token = f"Bearer {credential(name, settings.token)}"
    site = open_site(name, settings.endpoint, settings.token, token, settings.timeout_seconds)
    return HubTarget(name, site, settings.repository)
