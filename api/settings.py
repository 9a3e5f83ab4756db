"""Everything the API can be told, as one frozen object read from the environment and checked at start.

``python -m api.settings`` checks the environment and prints what is in force, secrets hidden: exit code 0, or 2
with one line for each bad variable.
"""

from __future__ import annotations

import os
import socket
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from api.settings_checks import check_bind, check_database_url, check_folder, check_instance, hide_password
from api.settings_errors import explain

EXIT_BAD_SETTINGS = 2


class Settings(BaseSettings):
    """The effective configuration. Fields are named after what they hold, with units; aliases are the variables."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", case_sensitive=True, env_ignore_empty=True)

    store: Literal["database", "memory"] = Field(
        default="database",
        validation_alias="API_STORE",
        description="where items are kept; memory loses writes on purpose",
    )
    database_url: Annotated[SecretStr, AfterValidator(check_database_url)] = Field(
        default=SecretStr("sqlite:////data/tests.db"), validation_alias="DATABASE_URL", description="the database"
    )
    max_in_flight: int = Field(
        default=512,
        ge=1,
        le=100_000,
        validation_alias="API_MAX_IN_FLIGHT",
        description="requests at a time per gunicorn worker; more are answered 503",
    )
    busy_timeout_ms: int = Field(
        default=5_000,
        ge=0,
        le=60_000,
        validation_alias="API_BUSY_TIMEOUT_MS",
        description="ms a write waits for SQLite's lock, then 503",
    )
    pool_size: int = Field(
        default=5,
        ge=1,
        le=200,
        validation_alias="API_POOL_SIZE",
        description="PostgreSQL connections per gunicorn worker",
    )
    log_level: Literal["debug", "info", "warning", "error", "critical"] = Field(
        default="info", validation_alias="API_LOG_LEVEL", description="least severe log line written"
    )
    log_requests: Literal["all", "errors", "none"] = Field(
        default="errors", validation_alias="API_LOG_REQUESTS", description="which requests are logged; errors are 5xx"
    )
    drain_s: int = Field(
        default=2,
        ge=0,
        le=300,
        validation_alias="API_DRAIN_S",
        description="s of serving on after SIGTERM, with /readyz at 503",
    )
    instance: Annotated[str, AfterValidator(check_instance)] = Field(
        default_factory=socket.gethostname, validation_alias="API_INSTANCE", description="value of X-Instance"
    )
    bind: Annotated[str, AfterValidator(check_bind)] = Field(
        default="0.0.0.0:8000", validation_alias="GUNICORN_BIND", description="addresses listened on"
    )
    workers: int = Field(
        default=0,
        ge=0,
        le=256,
        validation_alias="GUNICORN_WORKERS",
        description="gunicorn workers; 0 is one for each core, 2 to 8",
    )
    worker_class: Literal["gthread", "gevent"] = Field(
        default="gevent", validation_alias="GUNICORN_WORKER_CLASS", description="how a gunicorn worker shares its time"
    )
    threads: int = Field(
        default=8, ge=1, le=512, validation_alias="GUNICORN_THREADS", description="threads of a gthread worker"
    )
    worker_connections: int = Field(
        default=12_000,
        ge=1,
        le=1_000_000,
        validation_alias="GUNICORN_WORKER_CONNECTIONS",
        description="connections held open by one gunicorn worker",
    )
    keepalive_s: int = Field(
        default=75,
        ge=0,
        le=3_600,
        validation_alias="GUNICORN_KEEPALIVE_S",
        description="s an idle connection is kept open; 0 never",
    )
    backlog: int = Field(
        default=4_096,
        ge=1,
        le=65_535,
        validation_alias="GUNICORN_BACKLOG",
        description="connections waiting to be accepted",
    )
    timeout_s: int = Field(
        default=60,
        ge=5,
        le=3_600,
        validation_alias="GUNICORN_TIMEOUT_S",
        description="s without a heartbeat that get a worker killed",
    )
    graceful_timeout_s: int = Field(
        default=20,
        ge=1,
        le=3_600,
        validation_alias="GUNICORN_GRACEFUL_TIMEOUT_S",
        description="s for what is in flight to finish, after the drain",
    )
    reuse_port: bool = Field(
        default=False,
        validation_alias="GUNICORN_REUSE_PORT",
        description="one listening socket per gunicorn worker (SO_REUSEPORT)",
    )
    metrics_dir: Annotated[Path | None, AfterValidator(check_folder)] = Field(
        default=None,
        validation_alias="PROMETHEUS_MULTIPROC_DIR",
        description="where gunicorn workers share their metrics",
    )

    @property
    def is_sqlite(self) -> bool:
        """Whether items are kept in an SQLite file."""
        return self.store == "database" and self.database_url.get_secret_value().startswith("sqlite")

    def effective(self) -> dict[str, Any]:
        """Every variable with the value in force, passwords replaced by ``***``."""
        values = {str(field.validation_alias): getattr(self, name) for name, field in type(self).model_fields.items()}
        values["DATABASE_URL"] = hide_password(self.database_url.get_secret_value())
        values["PROMETHEUS_MULTIPROC_DIR"] = self.metrics_dir or f"{default_metrics_dir()} (its own process id)"
        return values


def default_metrics_dir() -> Path:
    """A folder no other instance on the machine uses: it carries the id of the process that asks."""
    return Path(tempfile.gettempdir()) / f"loadlab-api-metrics-{os.getpid()}"


def load_or_exit() -> Settings:
    """The settings of the environment, or one line per bad variable on stderr and ``SystemExit(2)``."""
    try:
        return Settings()
    except ValidationError as error:
        for line in explain(error, Settings):
            print(line, file=sys.stderr)
        raise SystemExit(EXIT_BAD_SETTINGS) from None


def main() -> None:
    """Check the environment and print one ``NAME=value`` a line."""
    for name, value in load_or_exit().effective().items():
        print(f"{name}={str(value).lower() if isinstance(value, bool) else value}")


if __name__ == "__main__":
    main()
