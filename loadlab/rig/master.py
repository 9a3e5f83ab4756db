"""The runs of a master, over HTTP: create one, watch it, stop it, fetch its folder."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from collections.abc import Mapping
from http.client import HTTPException
from pathlib import Path
from typing import Any

from loadlab.errors import LabError
from loadlab.rig import archive

ANSWER_S = 5.0
ARCHIVE_S = 60.0  # without a byte
RUN_ID = re.compile(r"[0-9A-Za-z][\w.-]{0,199}", re.ASCII)


class SilentError(LabError):
    """The master does not answer, or not as a master does."""


class RefusedError(LabError):
    """The master answered that it will not: its status and its words."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Master:
    """One master, by the URL of its UI. Every method raises SilentError or RefusedError when it gets no good answer."""

    def __init__(self, url: str) -> None:
        self.url = url
        # Past any proxy: the master is on this host or the next.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def create(self, plan: Mapping[str, Any]) -> str:
        """Start a run and return its id."""
        return checked_id(self._json("/runs", json.dumps(plan).encode()).get("id"))

    def tell(self, **known: Any) -> None:
        """Tell the master what it cannot know: the `revision` of this checkout, `calibrations` of earlier rigs."""
        self._json("/rig", json.dumps(known).encode(), method="PUT")

    def runs(self) -> dict[str, Any]:
        """Return every run that the master has, and which of them is active."""
        document = self._json("/runs")
        if not {"active", "runs"} <= document.keys():
            raise self._not_a_master()
        return document

    def run(self, run_id: str, *, timeout_s: float = ANSWER_S) -> dict[str, Any]:
        """Return how one run is."""
        return self._json(f"/runs/{run_id}", timeout_s=timeout_s)

    def stop(self, run_id: str) -> None:
        """Ask for a run to be stopped; it drains, and ends some seconds later."""
        self._json(f"/runs/{run_id}/stop", b"")

    def fetch(self, run_id: str, to: Path) -> None:
        """Copy a run's folder to `to`, whole or not at all.

        Raises:
            ArchiveError: what came is not a run.
        """
        try:
            with self._opener.open(f"{self.url}/runs/{run_id}/archive", timeout=ARCHIVE_S) as response:
                archive.extract_compressed(response, to)
        except urllib.error.HTTPError as error:
            raise _refusal(error) from None
        except (OSError, HTTPException) as error:
            raise SilentError(f"The master at {self.url} does not answer: {_reason(error)}.") from None

    def _json(
        self, path: str, body: bytes | None = None, *, method: str | None = None, timeout_s: float = ANSWER_S
    ) -> dict[str, Any]:
        try:
            request = urllib.request.Request(self.url + path, body, {"Content-Type": "application/json"}, method=method)
            with self._opener.open(request, timeout=timeout_s) as response:
                document = json.loads(response.read() or b"{}")
        except urllib.error.HTTPError as error:
            raise _refusal(error) from None
        except (OSError, HTTPException, ValueError) as error:
            raise SilentError(f"The master at {self.url} does not answer: {_reason(error)}.") from None
        if not isinstance(document, dict):
            raise self._not_a_master()
        return document

    def _not_a_master(self) -> SilentError:
        return SilentError(f"What answers at {self.url} is not a master of loadlab.")


def checked_id(value: Any) -> str:
    """Return the id of a run, which is also the name of its folder.

    Raises:
        SilentError: it could not be one.
    """
    if not isinstance(value, str) or not RUN_ID.fullmatch(value):
        raise SilentError(f"The master named a run {value!r}, which is not an id.")
    return value


def _refusal(error: urllib.error.HTTPError) -> RefusedError:
    with error:
        try:
            message = str(json.loads(error.read())["message"])
        except (ValueError, LookupError, TypeError, OSError, HTTPException):
            message = f"The master answered {error.code} {error.reason}."
    return RefusedError(error.code, message)


def _reason(error: Exception) -> str:
    return str(getattr(error, "reason", None) or error or type(error).__name__).rstrip(".")
