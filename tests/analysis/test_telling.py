"""Changes as people read them."""

from __future__ import annotations

import pytest

from loadlab.analysis.telling import signed


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (22.14, "+22.1"), (-3.0, "-3.0"), (0.321, "+0.32"), (-0.32, "-0.32"), (0.004, "0"), (0.0, "0"), (-0.001, "0"),
        (99.96, "+100"), (1234.5, "+1,234"), (-99.0, "-99.0"), (None, "-"),
    ],
)  # fmt: skip
def test_a_change_has_its_sign(value: float | None, text: str) -> None:
    """To three digits at most; what is next to nothing is 0."""
    assert signed(value) == text
