"""Did the generator give out, or the machine that it shares? Then the target has not been measured."""

from __future__ import annotations

from dataclasses import replace

from loadlab.analysis.bottleneck.causes import LIMITING_FROM, finding, level_of, unknown, worst
from loadlab.analysis.bottleneck.facts import Facts
from loadlab.analysis.saturation import (
    CPU_MOST,
    LAG_MOST_MS,
    THROTTLED_MOST,
    THROTTLED_NOTABLE,
    busiest_share,
    p99_ms,
    throttled_share,
)
from loadlab.analysis.summary import Finding, Limit
from loadlab.analysis.wording import figure, many, ms, percent

MACHINE_LIMITING = 0.95  # of its CPU time: its cores are hardly ever idle, so that something always waits for one
MACHINE_NEAR = 0.85
OTHERS_MOST = 0.6  # of what is used: a rig uses some beside its target and workers, for its master and network
END_OTHERS = "End the other programs that run on this machine, or measure on another one, and run it again."
STOLEN_NOTABLE = 0.05  # as of throttling: 5% of the time can make a p95
STOLEN_MUCH = 0.1


def generator(facts: Facts) -> Finding:
    """Judge the workers by the limits of validity: CPU, throttling, late event loops."""
    if not facts.workers:
        return unknown("generator", "No worker told of itself.")
    short, score, evidence = _own_cpu(facts)
    late_ms = p99_ms(facts.lag) or 0.0
    late = f"In 99% of the probes the workers' event loops were at most {ms(late_ms)} late."
    lag = Limit.LIMITING if late_ms > LAG_MOST_MS else Limit.NEAR if late_ms > LAG_MOST_MS / 2 else Limit.NOT
    if lag is Limit.LIMITING and short is not Limit.LIMITING:
        if _is_for_want_of_cores(facts):
            lag = Limit.NEAR  # the machine had none left for them: that comes first
        else:
            late = f"Its event loops were too late, by {ms(late_ms)} at the 99th percentile: code that keeps them busy?"
    evidence = [late, *evidence] if lag is Limit.LIMITING and short is not Limit.LIMITING else [*evidence, late]
    return finding("generator", worst(short, lag), max(score, min(1.0, late_ms / LAG_MOST_MS)), evidence)


def machine(facts: Facts) -> Finding:
    """Judge the CPU of the master's machine: what all programs on it used, and what its host took."""
    used = facts.machine
    if used is None:
        return unknown("machine", "The CPU time of the master's machine was not recorded.")
    share = used.busy + used.stolen
    cores = f" of its {many(facts.machine_cores, 'core')}" if facts.machine_cores else ""
    advice = None
    evidence = [f"All programs together used {percent(round(100 * share))}{cores}."]
    level = Limit.LIMITING if share >= MACHINE_LIMITING else Limit.NEAR if share >= MACHINE_NEAR else Limit.NOT
    if level is Limit.NEAR and (_is_late_for_it(facts) or facts.pressure.latency >= 1):
        level = Limit.LIMITING  # so near to it, what runs there waits for several times as long as it runs
    if facts.shares_cores:
        target, workers = _used_here(facts)
        shared = f"the target used {figure(target)} of them, the workers {figure(workers)}"
        evidence[0] = evidence[0].rstrip(".") + f", which generator and target share: {shared}."
        all_cores = used.busy * (facts.machine_cores or 0)
        if target and all_cores - target - workers > OTHERS_MOST * all_cores and level is not Limit.NOT:
            evidence.append(f"Most of the rest, {figure(all_cores - target - workers)} cores, went to other programs.")
            advice = END_OTHERS
    elif not facts.workers_here:
        evidence.append("It is the master's; whether workers or target run on it, too, was not told.")
        level = Limit.NEAR if level is Limit.LIMITING else level
    if _is_late_for_it(facts):
        evidence.append("The workers' event loops were late for want of it.")
    if used.stolen >= STOLEN_NOTABLE:
        evidence.append(f"Its host took {percent(round(100 * used.stolen))} of the CPU time for others.")
        level = Limit.LIMITING if used.stolen >= STOLEN_MUCH and share >= LIMITING_FROM else level
    made = finding("machine", level, share, evidence)
    return made if advice is None else replace(made, advice=advice)


def _is_for_want_of_cores(facts: Facts) -> bool:
    """Tell whether the master's machine, with workers on it, had hardly any CPU left."""
    used = facts.machine
    return used is not None and used.busy + used.stolen >= MACHINE_NEAR and bool(facts.workers_here)


def _is_late_for_it(facts: Facts) -> bool:
    """Tell whether event loops were late that had CPU left of what they may use, but their machine had not."""
    late_ms = p99_ms(facts.lag) or 0.0
    return late_ms > LAG_MOST_MS and _is_for_want_of_cores(facts) and _own_cpu(facts)[0] is not Limit.LIMITING


def _used_here(facts: Facts) -> tuple[float, float]:
    """Return the cores' worth of CPU time that the target and the workers used of the master's machine."""
    target = sum(sum(one.processes) or one.cpu_cores or 0.0 for one in facts.instances if one.is_here)
    workers = [column for number, column in facts.workers.items() if number in facts.workers_here]
    return target, sum(float(column.cpu_s[facts.places].sum()) for column in workers) / facts.lasted_s


def _own_cpu(facts: Facts) -> tuple[Limit, float, list[str]]:
    """Return whether workers were short of the CPU that they may use, how near they came, and the figures."""
    columns = list(facts.workers.values())
    shares = {n: share for n, one in facts.workers.items() if (share := busiest_share(one, facts.places)) is not None}
    level, score, evidence = Limit.NOT, 0.0, []
    if shares:
        worker = max(shares, key=lambda number: shares[number])
        score = shares[worker]
        level = Limit.LIMITING if score > CPU_MOST else level_of(min(score, CPU_MOST - 0.01))
        most = percent(round(100 * score))
        evidence.append(f"The busiest of {many(len(columns), 'worker')} used {most} of the CPU that it may.")
    throttled = throttled_share(columns, facts.places)
    if throttled is not None and throttled > THROTTLED_NOTABLE:
        level = worst(level, Limit.LIMITING if throttled > THROTTLED_MOST else Limit.NEAR)
        share = min(1.0, throttled / THROTTLED_MOST)
        told = f"The CPU quota of its workers held them back in {percent(round(100 * throttled))} of its periods."
        evidence = [told, *evidence] if share >= score else [*evidence, told]
        score = max(score, share)
    return level, score, evidence
