"""The knobs of the rig: flags over the environment over .env over defaults, checked whole before anything starts."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from ipaddress import IPv4Address
from pathlib import Path
from typing import Annotated, Any, Literal

from dotenv import dotenv_values
from pydantic import AfterValidator, BeforeValidator, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from loadlab.analysis import slo
from loadlab.errors import UsageError
from loadlab.rig import dotfile

ROOT = Path(__file__).resolve().parent.parent.parent
DOTENV = ROOT / ".env"
COMPOSE_FILE = ROOT / "docker-compose.yml"
MARGIN_S = 3  # what the API's own stop takes beyond drain and grace
# The knobs that ./lab has a flag for.
FLAGS = {
    "WORKERS": "--workers",
    "API_REPLICAS": "--api",
    "USERS": "--users",
    "SPAWN_RATE": "--spawn-rate",
    "SCENARIO": "--scenario",
    "LB": "--lb",
}


def _ports(value: str) -> str:
    match = re.fullmatch(r"(\d{1,5})(?:-(\d{1,5}))?", value)
    if not match or not 1 <= int(match[1]) <= int(match[2] or match[1]) <= 65535:
        raise ValueError("not a port or a range of ports")
    return value


def _memory(value: str) -> str:
    if not re.fullmatch(r"\d{1,12}[bkmg]?", value.lower()):
        raise ValueError("not a size")
    return value


def _boolean(value: Any) -> Any:
    # Compose takes these words only; pydantic would take 1, t and more.
    if str(value).lower() not in ("true", "false"):
        raise ValueError("not true or false")
    return value


def _target(value: str) -> str:
    if not re.fullmatch(r"https?://[^\s/?#@]+(/[^\s?#]*)?", value):
        raise ValueError("not an http(s) URL")
    return value


def _promises(value: str) -> str:
    promises = slo.split(value)
    if not promises:
        raise ValueError("no promise")
    for text in promises:
        slo.parse(text)
    return value


def _pages(value: str) -> str:
    for text in value.split(","):
        if not re.fullmatch(r"(dns\+)?https?://[^\s/?#@]+(/[^\s#]*)?", text.strip()):
            raise ValueError("not an http(s) URL")
    return value


Cpus = Annotated[float, Field(ge=0, le=1024, description="cores, 0-1024, fractions allowed, 0 is no limit")]
Memory = Annotated[
    str, AfterValidator(_memory), Field(description="a whole number and b, k, m or g, such as 512m; 0 is no limit")
]
Pids = Annotated[int, Field(ge=16, le=32768, description="a whole number, 16-32768")]
Port = Annotated[int, Field(ge=1, le=65535, description="a port, 1-65535")]


class RigSettings(BaseSettings):
    """Every knob that shapes the rig. The API's own (API_*, GUNICORN_*) are checked by the API."""

    # A knob's name is its field's in capitals, and only so: `users` in the shell is somebody else's, as for Compose.
    model_config = SettingsConfigDict(
        frozen=True, env_ignore_empty=True, extra="ignore", case_sensitive=True, alias_generator=str.upper
    )

    workers: int = Field(2, ge=1, le=200, description="a whole number of workers, 1-200")
    api_replicas: int = Field(1, ge=1, le=20, description="a whole number of replicas, 1-20")
    target_host: Annotated[str, AfterValidator(_target)] | None = Field(
        None, description="an http:// or https:// URL without user, query or fragment; empty for this rig's API"
    )
    lb: Literal["", "lb"] = Field("", description="lb, or empty for the replicas themselves")
    load_internal: Annotated[bool, BeforeValidator(_boolean)] = Field(True, description="true or false")
    bind_address: IPv4Address = Field(
        IPv4Address("127.0.0.1"), description="an IPv4 address of this host, such as 127.0.0.1 or 0.0.0.0"
    )
    api_port: Annotated[str, AfterValidator(_ports)] = Field(
        "5000", description="a port, 1-65535, or a range such as 5000-5002"
    )
    ui_port: Port = 8089
    lb_port: Port = 5080
    lb_stats_port: Port = 8404
    ui_name: str = Field("", pattern=r"^[A-Za-z0-9.-]*$", description="a host name, such as lab.example.com, or empty")
    users: int = Field(200, ge=1, le=1_000_000, description="a whole number of users, 1-1000000")
    spawn_rate: float = Field(50, gt=0, le=10_000, description="users started per second, above 0, up to 10000")
    scenario: str = Field("locustfile", pattern=r"^\w[\w-]*$", description="the name of a scenario file, without .py")
    slo: Annotated[str, AfterValidator(_promises)] = Field(
        ", ".join(slo.DEFAULTS), description=f"promises, separated by commas, each {slo.GRAMMAR}"
    )
    target_metrics: Annotated[str, AfterValidator(_pages)] | None = Field(
        None,
        description="http:// or https:// URLs, separated by commas, without user, dns+ before one that each address "
        "of its name is to be asked for; empty: /metrics of the target",
    )
    stop_timeout_s: int = Field(10, ge=0, le=30, description="whole seconds, 0-30")
    stop_grace_s: int = Field(45, ge=1, le=4000, description="whole seconds, 1-4000")
    locust_loglevel: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = Field(
        "INFO", description="DEBUG, INFO, WARNING, ERROR or CRITICAL"
    )
    api_cpus: Cpus = 0
    master_cpus: Cpus = 0
    worker_cpus: Cpus = 0
    lb_cpus: Cpus = 0
    api_memory: Memory = "2g"
    master_memory: Memory = "1g"
    worker_memory: Memory = "1g"
    lb_memory: Memory = "512m"
    api_pids: Pids = 512
    master_pids: Pids = 256
    worker_pids: Pids = 256
    lb_pids: Pids = 64

    @property
    def api_ports(self) -> list[int]:
        """Return one published port for each replica, counted up from the first of API_PORT."""
        first = int(self.api_port.split("-")[0])
        return [first + index for index in range(self.api_replicas)]

    @property
    def ports(self) -> list[tuple[str, int]]:
        """Return every published port, with the knob that moves it."""
        balancer = [("LB_PORT", self.lb_port), ("LB_STATS_PORT", self.lb_stats_port)] if self.lb else []
        return [("UI_PORT", self.ui_port), *balancer, *(("API_PORT", port) for port in self.api_ports)]


def load(flags: Mapping[str, Any] | None = None, dotenv: Path = DOTENV) -> RigSettings:
    """Read and check every knob.

    Raises:
        UsageError: names each bad value, where it is from, what is allowed and where to change it.
    """
    given = {name.upper(): value for name, value in (flags or {}).items() if value is not None}
    dotfile.check(dotenv, known_names())
    try:
        settings = RigSettings(_env_file=dotenv, **given)  # type: ignore[call-arg]
    except ValidationError as error:
        raise UsageError("\n".join(_explain(item, given, dotenv) for item in error.errors())) from None
    _check_ports(settings)
    _check_balancer(settings)
    _check_scenario(settings, given)
    _check_grace(settings, dotenv)
    return settings


def environment(settings: RigSettings, dotenv: Path = DOTENV) -> dict[str, str]:
    """Return the environment for the rig's parts: .env, the shell over it, and the checked settings over both.

    LOCUST_* of the shell stays outside: containers do not see it either, and both engines are to run the same test.
    """
    merged = {name: value for name, value in dotenv_values(dotenv).items() if value}
    # Compose would take an empty variable over the value in .env, our own settings do not.
    merged |= {name: value for name, value in os.environ.items() if value or name not in merged}
    merged = {name: value for name, value in merged.items() if not name.startswith("LOCUST_")}
    merged |= {name.upper(): _plain(value) for name, value in settings if value is not None}
    ports = settings.api_ports
    merged["API_PORT"] = f"{ports[0]}-{ports[-1]}" if len(ports) > 1 else str(ports[0])
    return merged


def _plain(value: Any) -> str:
    """Return a value as Compose and Locust read it: `4`, not `4.0`; `true`, not `True`."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.15g}" if isinstance(value, float) else str(value)


def known_names() -> set[str]:
    """Return the name of every knob: those that the compose file takes from its environment."""
    text = COMPOSE_FILE.read_text()
    return set(re.findall(r"\$\{([A-Z_]+)", text)) | set(re.findall(r"^ +- ([A-Z][A-Z_]+)$", text, re.MULTILINE))


def _check_ports(settings: RigSettings) -> None:
    ports = settings.api_ports
    if ports[-1] > 65535:
        raise UsageError(
            f"API_PORT={settings.api_port} leaves no port for {len(ports)} replicas: choose a lower first port."
        )
    taken = dict.fromkeys(ports, "API_PORT")
    for knob, port in settings.ports:
        if taken.setdefault(port, knob) != knob:
            whose = f"a port of the API ({ports[0]}-{ports[-1]})" if taken[port] == "API_PORT" else f"{taken[port]}'s"
            raise UsageError(f"{knob}={port} is also {whose}: choose another for one.")


def _check_balancer(settings: RigSettings) -> None:
    if settings.lb and settings.target_host is not None:
        raise UsageError(
            f"LB=lb has this rig's API loaded by way of its load balancer, and TARGET_HOST={settings.target_host} "
            "another target: unset one of them."
        )


def _check_grace(settings: RigSettings, dotenv: Path) -> None:
    """The API's own knobs are checked by the API, but not how they go with the time that it is given."""
    knobs = environment(settings, dotenv)
    times = [knobs.get(name, "0") for name in ("API_DRAIN_S", "GUNICORN_GRACEFUL_TIMEOUT_S")]
    needed = sum(int(text) for text in times if text.isdigit()) + MARGIN_S
    if settings.stop_grace_s < needed:
        raise UsageError(
            f"STOP_GRACE_S={settings.stop_grace_s} is less than API_DRAIN_S + GUNICORN_GRACEFUL_TIMEOUT_S + {MARGIN_S} "
            f"= {needed}: the API would be killed in the midst of its drain. Raise it, or lower one of those."
        )


def _check_scenario(settings: RigSettings, given: Mapping[str, Any]) -> None:
    names = ["locustfile", *sorted(path.stem for path in (ROOT / "locust" / "scenarios").glob("*.py"))]
    if settings.scenario not in names:
        named = f"{FLAGS['SCENARIO']} " if "SCENARIO" in given else "SCENARIO="
        raise UsageError(f"{named}{settings.scenario} is not a file of locust/scenarios: choose {', '.join(names)}.")


def _explain(item: Any, given: Mapping[str, Any], dotenv: Path) -> str:
    name = str(item["loc"][0]).upper()
    allowed = RigSettings.model_fields[name.lower()].description
    value = re.sub(r"//[^/]*@", "//***@", str(item["input"]))  # a URL's user and password are nobody's business
    if name in given:
        return f"{FLAGS.get(name, name)} {value} is not allowed. Allowed: {allowed}."
    where = "the shell's environment" if name in os.environ else dotenv.name
    return f"{name}={value} is not allowed. Allowed: {allowed}. Change it in {where}."
