"""The engine that runs the parts as containers of docker-compose.yml. Knows the command line of Compose, no more."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

from loadlab.errors import LabError, UsageError
from loadlab.rig import archive, ports
from loadlab.rig.engine import NULL_SERVICE, NULL_TARGET_S, Failure, NullTarget, RigState, url
from loadlab.rig.settings import ROOT, RigSettings, environment

STDERR = 2  # where Compose's progress goes: stdout is for results
TAIL_LINES = 15
OLDEST = (2, 24)
EVERY_PROFILE = ("--profile", "*")  # without it, Compose sees nothing of services that are not there always
BALANCED_PORT = 8000  # of the load balancer's container, whose other one is for its own pages
QUERY_TIMEOUT_S = 60.0
ANSWER_TIMEOUT_S = 10.0
LOOK_EVERY_S = 0.2
NULL_PORT = 8000
NULL_ANSWERS = f"import socket; socket.create_connection(('127.0.0.1', {NULL_PORT}), 1)"


def why_unusable() -> str | None:
    """Return why containers cannot be run here, with the remedy; None when they can."""
    if not shutil.which("docker"):
        return "There is no docker command: install Docker Engine with its Compose plugin."
    try:
        engine = _docker("version", "--format", "{{.Server.Version}}", timeout_s=ANSWER_TIMEOUT_S)
    except LabError as error:
        return f"The Docker Engine hangs: {error}"
    if engine.returncode:
        return (
            "The Docker Engine does not answer: start it (systemctl start docker), "
            "and see that your user may talk to it (group docker)."
        )
    found = version()
    if found == (0, 0):
        return "Docker has no Compose plugin: install docker-compose-plugin, version 2.24 or newer."
    if found < OLDEST:
        return f"Compose {found[0]}.{found[1]} is too old: 2.24 or newer is needed."
    return None


def version() -> tuple[int, int]:
    """Return major and minor of Compose's version, (0, 0) where there is none."""
    match = re.match(r"v?(\d+)\.(\d+)", _docker("compose", "version", "--short").stdout)
    return (int(match[1]), int(match[2])) if match else (0, 0)


class ComposeEngine:
    """Containers on this host's Docker Engine, by `docker compose`."""

    name: ClassVar[str] = "compose"
    renews: ClassVar[bool] = True

    def state(self) -> RigState | None:
        """Return the containers of this project, or None when there are none."""
        containers = self._containers()
        if not containers:
            return None
        _check_owner(containers)
        running = tuple(_part(c) for c in containers if c["State"] in ("running", "restarting"))
        ended = [c for c in containers if c["State"] in ("exited", "dead")]
        master = _published([c for c in containers if c["Service"] == "master"])
        replicas = _published([c for c in containers if c["Service"] == "api"])
        balancer = _published([c for c in containers if c["Service"] == "lb"], BALANCED_PORT)
        failures = tuple(self._failure(c) for c in ended)
        urls = (master[0] if master else "", tuple(sorted(replicas)), balancer[0] if balancer else "")
        return RigState(self.name, running, failures, *urls)

    def up(self, settings: RigSettings, *, tied: bool) -> None:  # noqa: ARG002 - containers outlive us
        """Build what has changed, then start or scale the containers; `tied` is for the caller to see to."""
        before = self.state()
        if before is None:
            ports.check_free(settings)
        elif before.count("lb") and not settings.lb:  # it is no orphan, and would stay
            self._compose("rm", "--stop", "--force", "lb")
        _check_readable()
        command = ["up", "--detach", "--build", "--remove-orphans"]
        command += ["--scale", f"worker={settings.workers}", "--scale", f"api={settings.api_replicas}"]
        # Attestations would give an unchanged image a new digest, and Compose would start its containers anew.
        knobs = {**environment(settings), "BUILDX_NO_DEFAULT_ATTESTATIONS": "1"}
        if settings.lb:
            knobs["COMPOSE_PROFILES"] = ",".join(filter(None, [knobs.get("COMPOSE_PROFILES"), "lb"]))
        done = subprocess.run(["docker", "compose", *command], cwd=ROOT, env=knobs, stdout=STDERR, check=False)
        if done.returncode:
            raise LabError("docker compose could not start the rig: its own words are above.")

    def down(self, *, volumes: bool) -> None:
        """Stop and remove the containers and networks, and with `volumes` the named volumes."""
        command = ["docker", "compose", *EVERY_PROFILE, "down", "--remove-orphans", *(["--volumes"] if volumes else [])]
        if subprocess.run(command, cwd=ROOT, stdout=STDERR, check=False).returncode:
            names = self._miscounted(volumes=volumes)
            print(
                f"The Docker Engine keeps the network {' and '.join(names)}, empty as it is: it has miscounted what is "
                "in it (moby issue 42119). The next './lab up' uses it; './lab down' removes it once the "
                "engine has been restarted.",
                file=sys.stderr,
            )

    def is_keeping(self) -> bool:
        """Tell whether a volume of this project is there."""
        volumes = json.loads(self._compose("config", "--format", "json").stdout)["volumes"]
        names = [volume["name"] for volume in volumes.values()]
        return bool(json.loads(_docker("volume", "inspect", *names).stdout or "[]"))

    def logs(self, services: list[str], *, follow: bool) -> int:
        """Print the containers' logs; followed, only what is new."""
        parts = {_part(container): container for container in self._containers()}
        known = {container["Service"] for container in parts.values()} | parts.keys()
        if unknown := [name for name in services if name not in known]:
            there = ", ".join(sorted(parts)) or "none"
            raise UsageError(f"There is no log of {', '.join(unknown)}. There are: {there}.")
        options = ["--follow", "--tail", "0"] if follow else []
        command = ["docker", "compose", *EVERY_PROFILE, "logs", *options]
        whole = [name for name in services if name not in parts]
        wanted = [whole] if whole or not services else []
        wanted += [["--index", *reversed(name.rsplit("-", 1))] for name in services if name in parts]
        running = [subprocess.Popen([*command, *each], cwd=ROOT) for each in wanted]
        return max(one.wait() for one in running)

    def salvage(self, run_id: str, to: Path) -> bool:
        """Copy what the master wrote of a run out of its container, which may have ended."""
        masters = self._compose("ps", "--all", "--quiet", "master").stdout.split()
        return bool(masters) and _copy_out(f"{masters[0]}:/results/{run_id}", to)

    def start_null_target(self, settings: RigSettings) -> NullTarget:
        """Start the service of the profile `calibrate`; its image is the master's."""
        # As docker-compose.yml has it where TARGET_HOST is empty.
        target = settings.target_host or f"http://{'lb' if settings.lb else 'api'}:8000"
        command = ["docker", "compose", "--profile", "calibrate", "up", "--detach", "--no-deps", NULL_SERVICE]
        done = subprocess.run(command, cwd=ROOT, env=environment(settings), stdout=STDERR, check=False)
        if done.returncode:
            raise LabError("docker compose could not start the null target: its own words are above.")
        deadline = time.monotonic() + NULL_TARGET_S
        while _docker("compose", "exec", "-T", NULL_SERVICE, "python", "-S", "-c", NULL_ANSWERS).returncode:
            state = self.state()
            failures = [one for one in (state.failures if state else ()) if one.part.startswith(NULL_SERVICE)]
            if failures or time.monotonic() > deadline:
                told = str(failures[0]) if failures else f"It does not answer within {NULL_TARGET_S:g} s."
                raise LabError(f"There is no null target: {told}")
            time.sleep(LOOK_EVERY_S)
        return NullTarget(f"http://{NULL_SERVICE}:{NULL_PORT}{urlsplit(target).path}", target)

    def stop_null_target(self) -> None:
        """Stop and remove the service of the profile `calibrate`."""
        self._compose("--profile", "calibrate", "rm", "--stop", "--force", NULL_SERVICE)

    def _containers(self) -> list[dict[str, Any]]:
        done = self._compose("ps", "--all", "--format", "json")
        return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]

    def _miscounted(self, *, volumes: bool) -> list[str]:
        """Return the networks that are all that a failed `down` has left: empty ones, which hold nothing of ours.

        Raises:
            LabError: something else is left.
        """
        document = json.loads(self._compose("config", "--format", "json").stdout)
        is_ours = ("--quiet", "--filter", f"label=com.docker.compose.project={document['name']}")
        left = json.loads(
            _docker("network", "inspect", *_docker("network", "ls", *is_ours).stdout.split()).stdout or "[]"
        )
        is_used = any(network["Containers"] for network in left)
        kept = _docker("ps", "--all", *is_ours).stdout or (volumes and _docker("volume", "ls", *is_ours).stdout)
        if is_used or kept or not left:
            raise LabError("docker compose could not take the rig down: its own words are above.")
        return [network["Name"] for network in left]

    def _failure(self, container: dict[str, Any]) -> Failure:
        done = _docker("logs", "--tail", str(TAIL_LINES), container["ID"], stderr=subprocess.STDOUT)
        code = int(container["ExitCode"])
        lines = tuple(line for line in done.stdout.splitlines() if line.strip())
        return Failure(_part(container), 128 - code if code > 128 else code, lines)

    def _compose(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        done = _docker("compose", *EVERY_PROFILE, *arguments, stderr=subprocess.PIPE)
        if done.returncode:
            raise LabError(f"docker compose {' '.join(arguments)} failed: {done.stderr.strip()}")
        return done


def _copy_out(source: str, to: Path) -> bool:
    """Copy a run folder out of a container, and tell whether it was there."""
    command = ["docker", "cp", source, "-"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as copying:
        assert copying.stdout is not None
        watchdog = threading.Timer(QUERY_TIMEOUT_S, copying.kill)
        watchdog.start()
        try:
            archive.extract(copying.stdout, to)
        except archive.ArchiveError:
            return False
        finally:
            watchdog.cancel()
            copying.kill()
    return (to / "run.json").is_file()


def _check_owner(containers: list[dict[str, Any]]) -> None:
    """Refuse to touch the rig of another checkout that has the same project name.

    Raises:
        LabError: names the other checkout.
    """
    for container in containers:
        match = re.search(r"com\.docker\.compose\.project\.working_dir=([^,]*)", container.get("Labels") or "")
        if match and Path(match[1]).resolve() != ROOT:
            raise LabError(
                f"The project {container['Project']!r} on this engine is the rig of another checkout, {match[1]}: "
                "take it down there, or set COMPOSE_PROJECT_NAME to another name for this one."
            )


def _part(container: dict[str, Any]) -> str:
    """Return `worker-3` for the third container of service worker."""
    return f"{container['Service']}-{container['Name'].rsplit('-', 1)[-1]}"


def _check_readable() -> None:
    """Check that the containers' user may read what is mounted into them.

    Raises:
        LabError: says how to let it.
    """
    for folder, files in (("locust", "*.py"), ("deploy", "*.cfg")):
        closed = [path for path in (ROOT / folder).rglob(files) if not path.stat().st_mode & stat.S_IROTH]
        if closed or not (ROOT / folder).stat().st_mode & stat.S_IXOTH:
            raise LabError(f"The containers' user cannot read the folder {folder}/: run 'chmod -R a+rX {folder}'.")


def _published(containers: list[dict[str, Any]], target: int | None = None) -> list[str]:
    """Return the URLs of the published ports of some containers; of one of their own ports, where it is given."""
    publishers = [publisher for container in containers for publisher in container["Publishers"] or []]
    if target is not None:
        publishers = [publisher for publisher in publishers if publisher["TargetPort"] == target]
    return [url(publisher["URL"], publisher["PublishedPort"]) for publisher in publishers if publisher["PublishedPort"]]


def _docker(
    *arguments: str, stderr: int = subprocess.DEVNULL, timeout_s: float = QUERY_TIMEOUT_S
) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            ["docker", *arguments],
            cwd=ROOT,
            env=os.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            check=False,
            timeout=timeout_s,
        )
    except subprocess.TimeoutExpired:
        raise LabError(f"docker {arguments[0]} did not answer within {timeout_s:g} s.") from None
