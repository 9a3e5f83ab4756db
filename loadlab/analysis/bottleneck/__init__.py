"""What gives out first? Everything that can limit a run, ranked, with the evidence that the run recorded.

docs/decisions/0011-bottleneck.md has the method and its sources. Pure, as all of the analysis.
"""

from __future__ import annotations

from collections.abc import Sequence

from loadlab.analysis.bottleneck import failures, generator, ranking, spread, target, waiting
from loadlab.analysis.bottleneck.facts import Facts, gather
from loadlab.analysis.evidence import Evidence
from loadlab.analysis.loads import Loads
from loadlab.analysis.slo import Slo
from loadlab.analysis.stages import Seconds
from loadlab.analysis.summary import Bottleneck, Finding


def find(evidence: Evidence, loads: Loads, seconds: Seconds, promises: Sequence[Slo] | None = None) -> Bottleneck:
    """Return what gave out first in some whole seconds of a run, or would have, or why that cannot be said.

    How pressing that is, is judged by the run's own promises unless others are given.

    Raises:
        ValueError: a histogram is damaged.
    """
    facts = gather(evidence, loads, seconds, promises)
    return ranking.ranked(facts, _findings(facts))


def _findings(facts: Facts) -> list[Finding]:
    found = [
        generator.generator(facts),
        generator.machine(facts),
        target.cpu(facts),
        target.memory(facts),
        failures.with_failures(facts, target.files(facts)),
        failures.ports(facts),
        waiting.slots(facts),
        waiting.backlog(facts),
        waiting.store(facts),
        waiting.application(facts),
        spread.replica(facts),
        spread.balance(facts),
        failures.errors(facts),
        failures.network(facts),
    ]
    return [one for one in found if one is not None]
