"""The environment is checked whole before anything starts, and a bad value is told in one line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from api.settings import Settings
from api.settings_checks import hide_password
from tests.api.instance import ROOT

BAD_VALUES = [
    ("API_STORE", "redis", "database, memory"),
    ("API_MAX_IN_FLIGHT", "0", "from 1 to 100000"),
    ("API_MAX_IN_FLIGHT", "many", "from 1 to 100000"),
    ("API_MAX_IN_FLIGHT", "1.5", "from 1 to 100000"),
    ("API_BUSY_TIMEOUT_MS", "-1", "from 0 to 60000"),
    ("API_POOL_SIZE", "0", "from 1 to 200"),
    ("API_LOG_LEVEL", "loud", "debug, info, warning, error, critical"),
    ("API_LOG_REQUESTS", "some", "all, errors, none"),
    ("API_DRAIN_S", "301", "from 0 to 300"),
    ("API_INSTANCE", "a b", "letters, digits"),
    ("API_INSTANCE", "x\r\nSet-Cookie: y", "letters, digits"),
    ("GUNICORN_BIND", "8000", "host:port"),
    ("GUNICORN_BIND", "0.0.0.0:70000", "host:port"),
    ("GUNICORN_BIND", "127.0.0.1:8000,", "host:port"),
    ("GUNICORN_WORKERS", "-1", "from 0 to 256"),
    ("GUNICORN_WORKER_CLASS", "sync", "gthread, gevent"),
    ("GUNICORN_THREADS", "0", "from 1 to 512"),
    ("GUNICORN_WORKER_CONNECTIONS", "0", "from 1 to 1000000"),
    ("GUNICORN_KEEPALIVE_S", "3601", "from 0 to 3600"),
    ("GUNICORN_BACKLOG", "0", "from 1 to 65535"),
    ("GUNICORN_TIMEOUT_S", "4", "from 5 to 3600"),
    ("GUNICORN_GRACEFUL_TIMEOUT_S", "0", "from 1 to 3600"),
    ("GUNICORN_REUSE_PORT", "perhaps", "true, false"),
    ("PROMETHEUS_MULTIPROC_DIR", "relative", "absolute path"),
    ("PROMETHEUS_MULTIPROC_DIR", "/", "absolute path"),
    ("PROMETHEUS_MULTIPROC_DIR", "/etc/passwd", "absolute path"),
    ("DATABASE_URL", "mysql://me:hunter2@h/x", "sqlite:////absolute/path.db or postgresql://"),
    ("DATABASE_URL", "sqlite://", "a file"),
    ("DATABASE_URL", "sqlite:///:memory:", "a file"),
    ("DATABASE_URL", "sqlite://data/tests.db", "no host"),
    ("DATABASE_URL", "sqlite:////data/", "a folder"),
    ("DATABASE_URL", "postgresql://", "host or port is missing"),
    ("DATABASE_URL", "postgresql://me:hunter2@h:port/x", "percent-encoded"),
    ("DATABASE_URL", "postgresql://me:hunter2@2@h/x", "percent-encoded"),
    ("DATABASE_URL", "postgresql://me:hunter2/2@h/x", "percent-encoded"),
    ("DATABASE_URL", "hunter2", "sqlite:////absolute/path.db"),
]


def run(module: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    """``python -m module`` with these variables alone."""
    return subprocess.run(
        [sys.executable, "-m", *module],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


@pytest.mark.parametrize(("name", "value", "allowed"), BAD_VALUES)
def test_a_bad_value_is_told_in_one_line(
    name: str, value: str, allowed: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The line names the variable, the value unless it may be secret, what is allowed, and what to do."""
    from api.settings import load_or_exit

    monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as stop:
        load_or_exit()
    lines = capsys.readouterr().err.splitlines()
    assert stop.value.code == 2
    assert len(lines) == 1, lines
    assert lines[0].startswith(f"api: {name}")
    assert allowed in lines[0]
    assert "Correct it, or unset it" in lines[0]
    assert (repr(value) in lines[0]) == (name != "DATABASE_URL")
    assert "hunter2" not in lines[0]


@pytest.mark.parametrize("module", [["api.settings"], ["gunicorn", "-c", "api/gunicorn.conf.py"]])
def test_both_commands_stop_with_exit_code_2(module: list[str]) -> None:
    """Every bad variable has its line, and there is no traceback."""
    done = run(module, API_MAX_IN_FLIGHT="0", GUNICORN_WORKERS="x", DATABASE_URL="mysql://me:hunter2@h/x")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 3
    assert "Traceback" not in done.stderr
    assert "hunter2" not in done.stderr + done.stdout


def test_the_check_prints_what_is_in_force_without_the_password() -> None:
    """One NAME=value for each variable there is."""
    done = run(["api.settings"], DATABASE_URL="postgres://me:hunter2@db/lab", GUNICORN_REUSE_PORT="true", API_STORE="")
    assert done.returncode == 0, done.stderr
    printed = dict(line.split("=", 1) for line in done.stdout.splitlines())
    assert printed.keys() == {field.validation_alias for field in Settings.model_fields.values()}
    assert printed["DATABASE_URL"] == "postgres://me:***@db/lab"
    assert printed["GUNICORN_REUSE_PORT"] == "true"
    assert printed["API_STORE"] == "database"  # empty is unset: compose passes unset variables on as empty
    assert "hunter2" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("url", "hidden"),
    [
        ("postgresql://u:p%40ss@h/x", "postgresql://u:***@h/x"),
        ("postgresql://u:p@ss@h/x", "postgresql://u:***@h/x"),
        ("postgresql://u:p/s@h/x", "postgresql://u:***@h/x"),
        ("postgresql:///x?host=h&password=secret&user=u", "postgresql:///x?host=h&password=***&user=u"),
        ("sqlite:////data/tests.db", "sqlite:////data/tests.db"),
        ("http://127.0.0.1:8000/tests", "http://127.0.0.1:8000/tests"),
    ],
)
def test_passwords_are_hidden_wherever_they_stand(url: str, hidden: str) -> None:
    """And what holds none stays readable."""
    assert hide_password(url) == hidden


def test_the_settings_cannot_be_changed() -> None:
    """One frozen object, checked once."""
    settings = Settings.model_validate({})
    with pytest.raises(ValidationError):
        settings.store = "memory"


def test_two_instances_do_not_share_a_metrics_folder(tmp_path: Path) -> None:
    """The second one stops with exit code 2 and one line."""
    from tests.api.instance import Instance, running

    with running(tmp_path, PROMETHEUS_MULTIPROC_DIR=str(tmp_path / "metrics")):
        second = Instance(tmp_path, {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path / "metrics")})
        assert second.process.wait(timeout=15) == 2
        assert second.stop() == 2
        assert "in use by another instance" in second.log()
        assert "Traceback" not in second.log()
