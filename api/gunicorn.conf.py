# ruff: noqa: N999 - the name gunicorn's users look for
"""gunicorn's configuration, all of it from the environment: see api/settings.py for the variables.

Run from the folder that holds ``api/``: ``python -m gunicorn -c api/gunicorn.conf.py``
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(_ROOT))

from api.gunicorn_setup import MetricsFolder, allow_descriptors, end_at_once_in_boot, worker_count  # noqa: E402
from api.lifecycle import PROCESS  # noqa: E402
from api.server import Server, slots  # noqa: E402
from api.settings import load_or_exit  # noqa: E402

_settings = load_or_exit()
_metrics_folder = MetricsFolder(_settings.metrics_dir)

chdir = str(_ROOT)
wsgi_app = "api:create_app()"
bind = [address.strip() for address in _settings.bind.split(",")]
backlog = _settings.backlog
reuse_port = _settings.reuse_port
workers = worker_count(_settings.workers)
worker_class = {
    "gevent": "api.gunicorn_workers.LabGeventWorker",
    "gthread": "api.gunicorn_workers.LabThreadWorker",
}[_settings.worker_class]
threads = _settings.threads if _settings.worker_class == "gthread" else 1
worker_connections = _settings.worker_connections
keepalive = _settings.keepalive_s
timeout = _settings.timeout_s
# The master counts from SIGTERM; the drain, and the second a gunicorn worker may take to notice its end, come first.
graceful_timeout = _settings.drain_s + _settings.graceful_timeout_s + 3
max_requests = 0
# Headers are small here; what an overlong one costs is bounded.
limit_request_line = 4094
limit_request_fields = 64
limit_request_field_size = 8190
# The heartbeat file must not be on a disk that may stall, and the root may be read-only.
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
# The control socket would need a writable home and lets whoever reaches it command the server.
control_socket_disable = True
logger_class = "api.logs.GunicornLogger"
loglevel = _settings.log_level
accesslog = None


def on_starting(server: Any) -> None:
    """In the master, before the first fork."""
    _metrics_folder.open()
    allow_descriptors(_settings.worker_connections, server.log)
    end_at_once_in_boot()


def post_fork(_server: Any, worker: Any) -> None:
    """In each gunicorn worker, before it loads the application."""
    worker.drain_s = _settings.drain_s
    worker.instance = _settings.instance
    worker.cfg.set("graceful_timeout", _settings.graceful_timeout_s)
    of_threads = worker.cfg.threads if _settings.worker_class == "gthread" else None
    served_at_a_time = slots(worker.cfg.workers, of_threads, _settings.max_in_flight)
    PROCESS.server = Server(served_at_a_time, lambda: worker.sockets)  # gevent's worker puts others there when it runs


def child_exit(_server: Any, worker: Any) -> None:
    """In the master, when a gunicorn worker has ended: its gauges no longer count, its counters still do."""
    _metrics_folder.forget(worker.pid)


def on_exit(_server: Any) -> None:
    """In the master, last."""
    _metrics_folder.close()
