"""The one reader of the environment. Every variable starts with ``SLIM_``; none is needed for local use."""

from __future__ import annotations

import errno
import logging
import os
import tempfile
from collections.abc import Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from slim_core import removed
from slim_core.errors import PathRefusedError, SettingRefusedError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

log = logging.getLogger(__name__)

DAY_S = 24 * 3600
NO_DIRECTORY = "The working directory does not exist any more: change to another folder."
URLS = {
    "database_url": ("sqlite", "postgresql", "postgres"),
    "redis_url": ("redis", "rediss", "unix"),
    "public_url": ("https", "http"),
    "webhook_url": ("https", "http"),
}
_KINDS: dict[Any, str] = {bool: "true or false", int: "a whole number", float: "a number"}
_SEPARATORS = {"data_roots": ":", "model_modules": ":", "public_url": ","}  # of what a variable holds several of
_BOUNDS = (("ge", "at least"), ("gt", "more than"), ("le", "at most"))
_TEXTS = {"machines": "N@HOST:PORT, such as 2@first:29400"}  # others are any text


def _default_roots() -> tuple[Path, ...]:
    return (Path.cwd(), Path.home(), _temporary_folder())


def _temporary_folder() -> Path:
    """The one of this process; by its name where none can be written, as on a machine whose only disk is full."""
    try:
        return Path(tempfile.gettempdir())
    except FileNotFoundError:
        return Path(os.environ.get("TMPDIR") or "/tmp")


class Settings(BaseSettings):
    """Where things are kept and reached."""

    model_config = SettingsConfigDict(env_prefix="SLIM_", frozen=True, extra="ignore")

    @classmethod
    def settings_customise_sources(cls, *_: object, **sources: Any) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments and the environment: to look each field up in files that nobody names takes as long again."""
        return sources["init_settings"], sources["env_settings"]

    home: Path = Field(
        Path("var"), description="Folder of the database, artifacts and embedded Redis; only its owner may read it."
    )
    artifacts_url: str | None = Field(None, description="fsspec URL of the artifacts; default: the folder home.")
    database_url: str | None = Field(None, description="SQLAlchemy URL; default: SQLite in home.")
    redis_url: str | None = Field(None, description="Redis of the served mode; default: an embedded server.")
    data_roots: Annotated[tuple[Path, ...], NoDecode] = Field(
        default_factory=_default_roots, description="Folders from which images may be registered, joined by ':'."
    )
    model_modules: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Modules whose functions may be named as models in the served mode, joined by ':'."
    )
    lease_s: float = Field(
        30.0, gt=0, le=DAY_S, description="A running job that does not renew its lease for this long is lost."
    )
    webhook_url: str | None = Field(None, description="Receives one JSON POST for each run that is done or has failed.")
    public_url: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Where people reach the dashboard, by commas: names it answers to beside this machine's own. "
        "The first is in the links of webhooks.",
    )
    metrics_token: SecretStr | None = Field(
        None, min_length=8, description="Token with which Prometheus reads /metrics, where people sign in."
    )
    mlflow_tracking_uri: str | None = Field(None, description="Runs are logged to this MLflow server too.")
    allow_without_sign_in: bool = Field(False, description="Listen beyond this machine although nobody signs in.")
    behind_proxy: bool = Field(
        False, description="Listen beyond this machine where a header names people: only the proxy can reach it."
    )
    threads: int = Field(
        default_factory=lambda: max(1, (os.cpu_count() or 2) - 1),
        ge=1,
        description="Threads torch computes with on the CPU, shared by its workers; default: all cores but one.",
    )
    machines: str | None = Field(
        None,
        pattern=r"^[1-9]\d?@[^@:\s]+:\d+$",
        description="How many machines share each training of several processes, and where they meet.",
    )

    @field_validator(*URLS)
    @classmethod
    def _check_url(cls, value: Any, info: ValidationInfo) -> Any:
        urls = (value,) if isinstance(value, str) else value or ()
        if not all(_is_url_of(url, URLS[str(info.field_name)]) for url in urls):
            raise ValueError("not such a URL")
        return value

    @field_validator(*_SEPARATORS, mode="before")
    @classmethod
    def _split(cls, value: object, info: ValidationInfo) -> object:
        if not isinstance(value, str):
            return value
        parts = value.split(_SEPARATORS[str(info.field_name)])
        return tuple(part.strip() for part in parts if part.strip())

    def as_environment(self) -> dict[str, str]:
        """The variables from which another process reads the same settings: with secrets, for its environment alone."""
        return {_variable(name): _text(name, value) for name, value in self.model_dump(exclude_none=True).items()}

    def unset(self) -> set[str]:
        """The variables that must be missing there: those of settings without a value."""
        return {_variable(name) for name, value in self.model_dump().items() if value is None}

    @property
    def database(self) -> str:
        """SQLAlchemy URL of the database."""
        return self.database_url or f"sqlite:///{self.home.resolve() / 'slim.db'}"

    @property
    def artifacts(self) -> str:
        """fsspec URL (or folder) of the artifacts."""
        return self.artifacts_url or str(self.home.resolve())

    @property
    def embedded(self) -> bool:
        """True where this installation starts its own Redis and worker."""
        return self.redis_url is None

    @property
    def renew_s(self) -> float:
        """How often a running job renews its lease: two renewals may fail before it is over."""
        return self.lease_s / 3

    @property
    def stop_grace_s(self) -> float:
        """How long a job may take to stop before it is killed: steps look at each batch."""
        return self.lease_s / 10

    @property
    def hung_after_s(self) -> float:
        """How long a job may report no progress before it is ended: longer than any batch or map takes."""
        return 30 * self.lease_s

    @property
    def n_machines(self) -> int:
        """How many machines share each training of several processes."""
        return 1 if self.machines is None else int(self.machines.partition("@")[0])

    @cached_property
    def roots(self) -> tuple[Path, ...]:
        """The folders images may be read from, links followed."""
        return tuple(root.expanduser().resolve() for root in (*self.data_roots, self.home))

    @cached_property
    def _prefixes(self) -> tuple[str, ...]:
        """What the paths in the roots begin with: compared as text, for this is asked of every image that is opened."""
        return tuple(f"{root}/".replace("//", "/") for root in self.roots)

    def allowed(self, path: Path | str) -> Path:
        """The resolved path, if it lies inside an allowed root.

        Raises:
            PathRefusedError: the path, links followed, lies outside all of them.
        """
        try:
            resolved = Path(path).expanduser().resolve()
            resolved.exists()
            if resolved.is_symlink():  # links in a circle, which Python 3.13 leaves as they are
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        except (OSError, RuntimeError, ValueError) as error:  # links in a circle, 5,000 letters, a NUL
            raise PathRefusedError(f"{str(path)[:100]!r} cannot be a path: check it.") from error
        if self.holds(str(resolved)):
            return resolved
        listed = ", ".join(map(str, self.roots))
        raise PathRefusedError(
            f"{resolved} lies outside the allowed folders ({listed}): move the data there, "
            f"or name its folder in SLIM_DATA_ROOTS."
        )

    def allows(self, path: Path | str) -> bool:
        """Whether a path, links followed, lies inside an allowed root."""
        try:
            self.allowed(path)
        except (PathRefusedError, OSError, ValueError):
            return False
        return True

    def holds(self, resolved: str) -> bool:
        """Whether a path whose links were followed lies inside an allowed root."""
        return f"{resolved}/".startswith(self._prefixes)


@lru_cache(maxsize=1)
def settings() -> Settings:
    """The settings of this process, read once.

    Raises:
        SettingRefusedError: a variable holds what it cannot hold; the sentence names the legal values. Or the working
            directory is gone, which the defaults are relative to.
    """
    try:
        given = Settings()
        given.home.absolute()
        for name in removed.SETTINGS.keys() & os.environ.keys():
            log.warning("%s is set, and is no setting any more: %s", name, removed.SETTINGS[name])
    except ValidationError as error:
        raise SettingRefusedError(" ".join(_refusal(one) for one in error.errors())) from error
    except FileNotFoundError as error:  # of os.getcwd
        raise SettingRefusedError(NO_DIRECTORY) from error
    return given


def redact_url(url: str) -> str:
    """An address without user, password, path and query, which may be secrets; a folder of this machine as it is."""
    if url.startswith("/"):
        return url
    try:
        parts = urlsplit(url)
    except ValueError:  # brackets without an address
        return "(hidden)"
    return f"{parts.scheme}://{parts.hostname or ''}"


def _variable(name: str) -> str:
    return f"SLIM_{name.upper()}"


def _text(name: str, value: object) -> str:
    """A value as its variable holds it."""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return _SEPARATORS[name].join(map(str, value)) if isinstance(value, tuple) else str(value)


def _refusal(error: ErrorDetails) -> str:
    name = str(error["loc"][0])
    value = _text(name, error["input"])
    is_secret = "@" in value or name == "webhook_url" or _is_secret(name)
    shown = "what is set (hidden: it may hold a password)" if is_secret else repr(value[:100])
    return f"{_variable(name)} cannot be {shown}: set it to {_legal(name)}."


def _is_secret(name: str) -> bool:
    return SecretStr in get_args(Settings.model_fields[name].annotation)


def _legal(name: str) -> str:
    """What a setting may be, by its type and its bounds."""
    if name in URLS:
        return f"a URL that begins with {' or '.join(f'{scheme}://' for scheme in URLS[name])}"
    field = Settings.model_fields[name]
    kind = _KINDS.get(field.annotation) or _TEXTS.get(name, "a text")
    bounds = [f"{word} {getattr(one, key):,}" for one in field.metadata for key, word in _BOUNDS if hasattr(one, key)]
    bounds += [f"at least {one.min_length} characters" for one in field.metadata if hasattr(one, "min_length")]
    return " ".join([kind, *(["of", " and ".join(bounds)] if bounds else [])])


def _is_url_of(url: str, schemes: Sequence[str]) -> bool:
    try:
        parts = urlsplit(url)
        is_one = parts.scheme.partition("+")[0] in schemes and url.startswith(f"{parts.scheme}://") and parts.port != 0
        return is_one and (not parts.scheme.startswith("http") or parts.hostname is not None)
    except ValueError:  # a port that is no number
        return False
