"""Summaries made by hand, for tests of what is told of them; `dataclasses.replace` spoils one thing."""

from __future__ import annotations

from dataclasses import replace

from loadlab.analysis.recording import Calibration, Run, SetBy, Status
from loadlab.analysis.slo import Outcome
from loadlab.analysis.summary import (
    Accounting,
    Bottleneck,
    Drift,
    Endpoint,
    Finding,
    Headroom,
    Interval,
    Latency,
    Level,
    Limit,
    Little,
    Load,
    Outage,
    PhaseTimes,
    Reason,
    Reliability,
    SloResult,
    Stage,
    Summary,
    TargetHealth,
    Validity,
    Verdict,
    WorkerHealth,
)

P95 = SloResult(
    "p95<450ms", Outcome.PASS, "ms", 450.0, 38.2, Interval(37.6, 38.9), 23_112, 59, 0, "p95 was 38.2 ms, 450 allowed."
)
FAIL = SloResult(
    "fail<1%", Outcome.PASS, "%", 1.0, 0.13, Interval(0.09, 0.18), 23_142, 300, 30, "30 of 23,142 requests failed."
)


def broken(slo: SloResult, measured: float, reason: str = "It was not kept.") -> SloResult:
    """Return a promise that was not kept."""
    interval = Interval(measured * 0.97, measured * 1.03)
    return replace(slo, outcome=Outcome.FAIL, measured=measured, interval=interval, reason=reason)


def insufficient(slo: SloResult) -> SloResult:
    """Return a promise that nobody can judge."""
    few = replace(slo, measured=None, interval=None, samples=12, beyond=None)
    return replace(few, outcome=Outcome.INSUFFICIENT, reason="12 samples are too few: 59 are needed.")


def latency(scale: float = 1.0, count: int = 23_112) -> Latency:
    """Return plausible response times."""
    percentiles = {"p50": 11.9, "p75": 17.2, "p90": 27.4, "p95": 38.2, "p99": 66.1, "p99.9": 141.0}
    return Latency(count, 15.3 * scale, 2.1 * scale, 210.4 * scale, {k: v * scale for k, v in percentiles.items()})


def load(requests: int = 23_142, failures: int = 30, start: float = 4.0, end: float = 120.0) -> Load:
    """Return a stretch of requests."""
    return Load(
        start,
        end,
        requests,
        failures,
        100 * failures / requests if requests else 0.0,
        requests / (end - start),
        requests * 4_900,
        3.1,
        latency(count=requests - failures) if requests > failures else None,
        latency(0.2, failures) if failures else None,
        {"HTTP 503 Service Unavailable": failures} if failures else {},
        PhaseTimes(requests, 0.031, 14.7, 50, 2, 0.84, 3.2, 11.4, 6.02, {"api-1": requests}) if requests else None,
    )


def workers(number: int = 4) -> tuple[WorkerHealth, ...]:
    """Return healthy workers."""
    return tuple(
        WorkerHealth(n, f"worker-{n}", 5_800, 50, 1.2 + n / 10, 4.5, 21.0, 42.5, 0.0, 41_000_000, 0.4, "stayed")
        for n in range(number)
    )


def bottleneck() -> Bottleneck:
    """Return a target that has used up its CPU, and a queue in front of it."""
    cpu = (
        "It used 0.499 of the 0.5 cores that its limit allows (100%).",
        "Its quota held it back in 97% of its periods.",
    )
    slots = ("Requests waited 410 ms of the mean response time of 480 ms.", "It follows from the target's CPU.")
    return Bottleneck(
        "target CPU",
        "The first thing to give out is the target's CPU: it used 0.499 of the 0.5 cores that its limit allows (100%).",
        (
            Finding("target-cpu", "target CPU", Limit.LIMITING, 0.998, cpu, "Give it more CPU."),
            Finding("slots", "worker slots", Limit.NEAR, 0.85, slots, "More threads."),
            Finding(
                "memory", "target memory", Limit.NOT, 0.06, ("It held 120 MiB of the 2 GiB that it may (6%).",), "-"
            ),
            Finding("store", "store", Limit.UNKNOWN, None, ("How long its store took was not told.",), "-"),
        ),
        4.0,
        64.0,
    )


def reliability() -> Reliability:
    """Return one outage of 4 s in 116 s."""
    return Reliability(
        116.0,
        4.0,
        (Outage(70.0, 74.0),),
        116.0,
        Interval(20.8, 4_580.0),
        112.0,
        Interval(20.1, 4_424.0),
        4.0,
        Interval(0.7, 158.0),
        96.55,
        Interval(80.1, 99.9),
        99.87,
        Interval(99.82, 99.91),
    )


def summary(**changes: object) -> Summary:
    """Return the summary of a good run of 200 users on four workers, with the given fields changed."""
    good = Summary(
        run="20251009-085320-nightly",
        name="nightly",
        status=Status.FINISHED,
        partial=False,
        verdict=Verdict.PASS,
        exit_code=0,
        headline="200 users, 199 requests/s: p95 38.2 ms of 450 ms, 0.13% failed of 1%.",
        validity=Validity(
            Level.VALID,
            (Reason("clock", Level.VALID, "The workers' clocks were within 1 ms of the master's."),),
            Accounting(23_542, 23_542, 0, 0, 23_542, 0, 0, 23_542),
            Little(3.1, 199.5, 0.0154, 0.9),
        ),
        slos=(P95, FAIL),
        totals=load(23_542, 30, 0.0, 120.0),
        window=load(),
        stages=(Stage(1, 200, load(), (P95, FAIL)),),
        endpoints=(
            Endpoint("GET", "/tests", load(18_510, 20)),
            Endpoint("POST", "/tests", load(4_632, 10)),
        ),
        reliability=reliability(),
        workers=workers(),
        target=(
            TargetHealth("api-1", 11_771, 50.0, 0.61, 0.92, 2.0, 0.0, 130_000_000, 2 << 30),
            TargetHealth("api-2", 11_771, 50.0, 0.60, 0.90, 2.0, 0.0, 131_000_000, 2 << 30),
        ),
        drift=Drift(37.9, 38.4, 199.0, 199.8, 126_000_000, 131_000_000),
        users_max=200,
        workers_max=4,
    )
    return replace(good, **changes)  # type: ignore[arg-type]


def failed() -> Summary:
    """Return the summary of a run whose p95 was too long."""
    slos = (broken(P95, 612.0, "p95 was 612 ms, and less than 450 ms was promised."), FAIL)
    return summary(verdict=Verdict.FAIL, exit_code=99, headline="p95 612 ms, 450 ms promised.", slos=slos)


def invalid() -> Summary:
    """Return the summary of a run whose workers were starved."""
    reasons = (
        Reason("throttled", Level.INVALID, "4 of 4 workers were held back by their CPU quota, up to 71% of the time."),
        Reason("lag", Level.INVALID, "The event loops' lag p99 was 84 ms, at most 10 ms is allowed."),
        Reason("lost", Level.DEGRADED, "Worker 2 was lost at 41 s; its users were back after 5.0 s."),
    )
    bad = replace(summary().validity, level=Level.INVALID, reasons=reasons)
    headline = "The generator was starved: throttled, lag p99 84 ms."
    return summary(verdict=Verdict.NONE, exit_code=98, headline=headline, validity=bad)


def undecided() -> Summary:
    """Return the summary of a run with too few samples."""
    return summary(
        verdict=Verdict.UNDECIDED, exit_code=98, headline="p95 cannot be judged yet.", slos=(insufficient(P95), FAIL)
    )


def headroom(**changes: object) -> Headroom:
    """Return the headroom of a generator that could make a hundred times as much."""
    sentence = "4 workers can make 20,000 requests/s (5,000 each), 200 were made: 100 × headroom."
    known = Headroom(20_000.0, 200.0, 100.0, False, sentence, "20251009-080000-calibration", 1_760_000_000.0, "a CPU")
    return replace(known, **changes)  # type: ignore[arg-type]


def calibration() -> Calibration:
    """Return what a calibration of four workers showed."""
    return Calibration(
        run="20251009-085320-nightly",
        measured=1_760_000_002.0,
        scenario="locustfile",
        target="http://api:8000",
        workers=4,
        users=256,
        ceiling_rps=20_000.0,
        worker_rps=(4_900.0, 4_950.0, 5_050.0, 5_100.0),
        worker_median_rps=5_000.0,
        cpu_us=195.0,
        cpu_limit_cores=1.0,
        bytes_each=80.0,
        fail_percent=25.0,
        set_by=SetBy.WORKERS,
        sentence="4 workers make at most 20,000 requests/s, 5,000 each (195 µs of CPU a request).",
        reservations=("25% of the requests failed.",),
    )


def run(**changes: object) -> Run:
    """Return the run.json that belongs to `summary`."""
    good = Run(
        id="20251009-085320-nightly",
        status=Status.FINISHED,
        plan={"users": 200, "spawn_rate": 50.0, "time_s": 116.0, "shape": "steady", "slos": ["p95<450ms", "fail<1%"]},
        thresholds_us=(450_000,),
        created=1_760_000_000.0,
        started=1_760_000_002.0,
        ended=1_760_000_122.0,
        duration_s=120.0,
        slo=("p95<450ms", "fail<1%"),
        expected_workers=4,
    )
    return replace(good, **changes)  # type: ignore[arg-type]
