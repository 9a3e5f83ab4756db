"""The knobs: where they come from, in which order, and what is said of a bad one."""

from __future__ import annotations

import os
from collections.abc import Callable
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest

from loadlab.errors import Exit, UsageError
from loadlab.rig.settings import DOTENV, RigSettings, environment, known_names, load

Dotenv = Callable[[str], Path]


@pytest.fixture(autouse=True)
def _no_knobs(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in known_names():
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def dotenv(tmp_path: Path) -> Dotenv:
    """Return a function that writes a .env and returns its path."""

    def write(text: str) -> Path:
        file = tmp_path / ".env"
        file.write_text(text)
        return file

    return write


GOOD: list[tuple[str, str, Any]] = [
    ("WORKERS", "1", 1),
    ("WORKERS", "200", 200),
    ("API_REPLICAS", "20", 20),
    ("TARGET_HOST", "https://example.org/base", "https://example.org/base"),
    ("TARGET_HOST", "http://[::1]:8080", "http://[::1]:8080"),
    ("LOAD_INTERNAL", "false", False),
    ("LOAD_INTERNAL", "True", True),
    ("BIND_ADDRESS", "0.0.0.0", IPv4Address("0.0.0.0")),
    ("API_PORT", "6000-6002", "6000-6002"),
    ("UI_PORT", "65535", 65535),
    ("USERS", "1000000", 1_000_000),
    ("SPAWN_RATE", "0.5", 0.5),
    ("SCENARIO", "read_heavy", "read_heavy"),
    ("SLO", "p99.9<=1s, POST /tests: fail<5%", "p99.9<=1s, POST /tests: fail<5%"),
    ("TARGET_METRICS", "http://a:1/metrics, https://b/x", "http://a:1/metrics, https://b/x"),
    ("STOP_TIMEOUT_S", "0", 0),
    ("LOCUST_LOGLEVEL", "DEBUG", "DEBUG"),
    ("API_CPUS", "1.5", 1.5),
    ("WORKER_CPUS", "0", 0),
    ("MASTER_MEMORY", "512M", "512M"),
    ("API_MEMORY", "0", "0"),
    ("WORKER_PIDS", "16", 16),
]

BAD: list[tuple[str, str, str]] = [
    ("WORKERS", "0", "1-200"),
    ("WORKERS", "-1", "1-200"),
    ("WORKERS", "201", "1-200"),
    ("WORKERS", "two", "1-200"),
    ("WORKERS", "1.5", "1-200"),
    ("API_REPLICAS", "0", "1-20"),
    ("API_REPLICAS", "21", "1-20"),
    ("TARGET_HOST", "example.org", "http:// or https://"),
    ("TARGET_HOST", "ftp://example.org", "http:// or https://"),
    ("TARGET_HOST", "http://", "http:// or https://"),
    ("TARGET_HOST", "http://a b/", "http:// or https://"),
    ("TARGET_HOST", "http://example.org/?q=1", "without user, query or fragment"),
    ("LOAD_INTERNAL", "maybe", "true or false"),
    ("LOAD_INTERNAL", "1", "true or false"),  # Compose does not take it
    ("BIND_ADDRESS", "localhost", "an IPv4 address"),
    ("BIND_ADDRESS", "999.0.0.1", "an IPv4 address"),
    ("BIND_ADDRESS", "::1", "an IPv4 address"),
    ("API_PORT", "0", "1-65535"),
    ("API_PORT", "65536", "1-65535"),
    ("API_PORT", "5002-5000", "1-65535"),
    ("API_PORT", "5000-", "1-65535"),
    ("API_PORT", "5000,5001", "1-65535"),
    ("API_PORT", "http", "1-65535"),
    ("UI_PORT", "0", "1-65535"),
    ("UI_PORT", "8089-8090", "1-65535"),
    ("UI_PORT", "70000", "1-65535"),
    ("USERS", "0", "1-1000000"),
    ("USERS", "1000001", "1-1000000"),
    ("SPAWN_RATE", "0", "above 0, up to 10000"),
    ("SPAWN_RATE", "-3", "above 0, up to 10000"),
    ("SPAWN_RATE", "inf", "above 0, up to 10000"),
    ("SPAWN_RATE", "nan", "above 0, up to 10000"),
    ("SCENARIO", "nosuch", "read_heavy"),
    ("SCENARIO", "../secret", "without .py"),
    ("SCENARIO", "read_heavy.py", "without .py"),
    ("SLO", "p95<450km", "[METHOD NAME:] METRIC OP VALUE[UNIT]"),
    ("SLO", "p95<450ms fail<1%", "separated by commas"),
    ("SLO", ",", "separated by commas"),
    ("TARGET_METRICS", "a:1/metrics", "http:// or https://"),
    ("TARGET_METRICS", "http://a:1/metrics,", "separated by commas"),
    ("TARGET_METRICS", "http://a/metrics#top", "separated by commas"),
    ("STOP_TIMEOUT_S", "31", "0-30"),
    ("STOP_TIMEOUT_S", "10s", "0-30"),
    ("LOCUST_LOGLEVEL", "debug", "DEBUG, INFO, WARNING, ERROR or CRITICAL"),
    ("API_CPUS", "-1", "0-1024"),
    ("API_CPUS", "1025", "0-1024"),
    ("MASTER_CPUS", "half", "0-1024"),
    ("API_MEMORY", "2 GB", "b, k, m or g"),
    ("WORKER_MEMORY", "1.5g", "b, k, m or g"),
    ("WORKER_MEMORY", "-1g", "b, k, m or g"),
    ("API_PIDS", "15", "16-32768"),
    ("MASTER_PIDS", "99999", "16-32768"),
]


@pytest.mark.parametrize(("name", "text", "value"), GOOD)
def test_a_good_value_is_taken(name: str, text: str, value: Any, dotenv: Dotenv) -> None:
    """What is within the range is taken from .env and turned into its type."""
    assert getattr(load(dotenv=dotenv(f"{name}={text}\n")), name.lower()) == value


@pytest.mark.parametrize(("name", "text", "allowed"), BAD)
def test_a_bad_value_in_dotenv_is_explained(name: str, text: str, allowed: str, dotenv: Dotenv) -> None:
    """The error names the knob, the bad value, what is allowed, and .env as the place to change it."""
    with pytest.raises(UsageError) as refusal:
        load(dotenv=dotenv(f"{name}={text}\n"))
    said = str(refusal.value)
    assert f"{name}={text} " in said
    assert allowed in said
    assert name == "SCENARIO" or ".env" in said
    assert refusal.value.exit_code == Exit.USAGE


@pytest.mark.parametrize(("name", "text", "allowed"), BAD)
def test_a_bad_value_in_the_environment_is_explained(
    name: str, text: str, allowed: str, dotenv: Dotenv, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A good value in .env does not help a bad one in the environment, which is named as the place to change it."""
    monkeypatch.setenv(name, text)
    with pytest.raises(UsageError) as refusal:
        load(dotenv=dotenv(""))
    said = str(refusal.value)
    assert f"{name}={text} " in said
    assert allowed in said
    assert name == "SCENARIO" or "the shell's environment" in said


@pytest.mark.parametrize(
    ("field", "flag", "value", "allowed"),
    [
        ("workers", "--workers", 0, "1-200"),
        ("workers", "--workers", 9999, "1-200"),
        ("api_replicas", "--api", 0, "1-20"),
        ("api_replicas", "--api", -5, "1-20"),
    ],
)
def test_a_bad_flag_is_explained(field: str, flag: str, value: int, allowed: str, dotenv: Dotenv) -> None:
    """The error of a flag names the flag as it was typed, not the knob behind it."""
    with pytest.raises(UsageError) as refusal:
        load({field: value}, dotenv(""))
    said = str(refusal.value)
    assert f"{flag} {value} " in said
    assert allowed in said
    assert ".env" not in said


def test_every_bad_value_is_told_at_once(dotenv: Dotenv, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has three mistakes needs one attempt to see them, each with its own place."""
    monkeypatch.setenv("USERS", "many")
    with pytest.raises(UsageError) as refusal:
        load({"workers": 0}, dotenv("UI_PORT=0\n"))
    lines = str(refusal.value).splitlines()
    assert len(lines) == 3
    assert [line for line in lines if line.startswith("--workers 0 ")]
    assert [line for line in lines if line.startswith("USERS=many ") and "environment" in line]
    assert [line for line in lines if line.startswith("UI_PORT=0 ") and ".env" in line]


def test_precedence(dotenv: Dotenv, monkeypatch: pytest.MonkeyPatch) -> None:
    """Flags beat the environment, which beats .env, which beats the defaults; a flag not given beats nothing."""
    file = dotenv("WORKERS=3\nAPI_REPLICAS=3\nUSERS=30\n")
    monkeypatch.setenv("WORKERS", "4")
    monkeypatch.setenv("API_REPLICAS", "4")
    settings = load({"workers": 5, "api_replicas": None}, file)
    assert (settings.workers, settings.api_replicas, settings.users, settings.ui_port) == (5, 4, 30, 8089)


def test_empty_values_say_nothing(dotenv: Dotenv, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty variable leaves the word to .env, an empty line there to the default, for the settings and the parts."""
    file = dotenv("WORKERS=\nUI_PORT=9000\nTARGET_HOST=\n")
    monkeypatch.setenv("UI_PORT", "")
    settings = load(dotenv=file)
    assert (settings.workers, settings.ui_port, settings.target_host) == (2, 9000, None)
    assert environment(settings, file)["UI_PORT"] == "9000"


def test_names_are_upper_case(dotenv: Dotenv, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable in small letters is somebody else's, as it is for Compose."""
    monkeypatch.setenv("users", "77")
    monkeypatch.setenv("scenario", "tragedy")
    settings = load(dotenv=dotenv(""))
    assert (settings.users, settings.scenario) == (200, "locustfile")


@pytest.mark.parametrize(
    ("line", "meant"),
    [("WORKER=3", "WORKERS"), ("UIPORT=1", "UI_PORT"), ("workers=3", None), ("SPAWNRATE=1", "SPAWN_RATE")],
)
def test_an_unknown_knob_in_dotenv_suggests_the_near_one(line: str, meant: str | None, dotenv: Dotenv) -> None:
    """A misspelt knob would have no effect: it is refused, with the knob that may be meant."""
    with pytest.raises(UsageError, match=line.partition("=")[0]) as refusal:
        load(dotenv=dotenv(f"{line}\n"))
    assert "README.md" in str(refusal.value)
    if meant:
        assert f"Did you mean {meant}?" in str(refusal.value)


@pytest.mark.parametrize("line", ["COMPOSE_PROJECT_NAME=mine", "DOCKER_BUILDKIT=1"])
def test_names_of_the_tools_themselves_are_let_be(line: str, dotenv: Dotenv) -> None:
    """.env is Compose's file too: its own names may be there."""
    load(dotenv=dotenv(f"{line}\n"))


@pytest.mark.parametrize(
    ("before", "line"),
    [("USERS=5\n", "WORKERS 3"), ("USERS=5\n", "WORKERS"), ("\n", "WORKERS='3"), ("# x\n", "=3"), ("\n", "<<<<<<<")],
)
def test_a_line_that_is_no_assignment_is_refused(before: str, line: str, dotenv: Dotenv) -> None:
    """A line that says nothing would lose its knob without a word: it is named by its number."""
    with pytest.raises(UsageError, match=r"[Ll]ine 2 of \.env") as refusal:
        load(dotenv=dotenv(f"{before}{line}\n"))
    assert f": {line}." in str(refusal.value)


@pytest.mark.parametrize("text", ["", "\n\n# only a comment\n", "export WORKERS=2\r\nUSERS='200' # so many\r\n"])
def test_what_a_dotenv_may_look_like(text: str, dotenv: Dotenv) -> None:
    """Empty lines, comments, quotes, `export` and the line ends of other systems are no mistakes."""
    assert load(dotenv=dotenv(text)) == RigSettings.model_validate({})


def test_no_dotenv_at_all_means_the_defaults(tmp_path: Path) -> None:
    """A checkout whose .env was removed still works."""
    assert load(dotenv=tmp_path / ".env").workers == 2


def test_a_dotenv_that_is_no_text_is_refused(tmp_path: Path) -> None:
    """Bytes that are no text are an error that names the file, and so is a folder of its name."""
    (tmp_path / ".env").write_bytes(b"WORKERS=\xff\xfe\n")
    with pytest.raises(UsageError, match=r"\.env"):
        load(dotenv=tmp_path / ".env")
    (tmp_path / "folder").mkdir()
    with pytest.raises(UsageError, match="folder"):
        load(dotenv=tmp_path / "folder")


def test_the_committed_dotenv_is_good() -> None:
    """The .env of the project says what the defaults say."""
    assert load(dotenv=DOTENV) == RigSettings.model_validate({})


@pytest.mark.parametrize(
    ("port", "replicas", "ports"),
    [("5000", 1, [5000]), ("5000", 3, [5000, 5001, 5002]), ("6000-6009", 2, [6000, 6001]), ("65535", 1, [65535])],
)
def test_each_replica_gets_a_port(port: str, replicas: int, ports: list[int], dotenv: Dotenv) -> None:
    """Replicas are published on ports counted up from the first, and Compose is given exactly that range."""
    file = dotenv(f"API_PORT={port}\nAPI_REPLICAS={replicas}\n")
    settings = load(dotenv=file)
    assert settings.api_ports == ports
    published = environment(settings, file)["API_PORT"]
    assert published == (str(ports[0]) if len(ports) == 1 else f"{ports[0]}-{ports[-1]}")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("API_PORT=65535\nAPI_REPLICAS=2\n", "API_PORT=65535"),
        ("API_PORT=5000\nAPI_REPLICAS=3\nUI_PORT=5002\n", "UI_PORT=5002"),
        ("API_PORT=8089\n", "UI_PORT=8089"),
    ],
)
def test_ports_that_cannot_be_had_together_are_refused(text: str, named: str, dotenv: Dotenv) -> None:
    """A port past the last one, or one wanted twice, is an error before anything starts."""
    with pytest.raises(UsageError, match=named):
        load(dotenv=dotenv(text))


def test_parts_get_knobs_of_dotenv_and_the_shell(dotenv: Dotenv, monkeypatch: pytest.MonkeyPatch) -> None:
    """The API's own knobs reach it from .env, over which the shell's win; what ./lab counted itself wins over both."""
    file = dotenv("API_LOG_LEVEL=debug\nAPI_DRAIN_S=7\nWORKERS=3\n")
    monkeypatch.setenv("API_DRAIN_S", "8")
    given = environment(load({"workers": 6}, file), file)
    assert (given["API_LOG_LEVEL"], given["API_DRAIN_S"], given["WORKERS"]) == ("debug", "8", "6")
    assert given["PATH"] == os.environ["PATH"]
    assert "DATABASE_URL" not in given  # unset stays unset: the API's own default holds


def test_settings_are_frozen() -> None:
    """Nothing changes a setting after the checks."""
    settings = RigSettings.model_validate({})
    with pytest.raises(ValueError, match="frozen"):
        settings.workers = 3
