"""Settings of the tests here."""

from __future__ import annotations

from hypothesis import settings

# How long an example takes says nothing on a machine that does other work beside.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")
