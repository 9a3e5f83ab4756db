"""Tests on the real thing: a Docker Engine, Compose, a browser. `tests/stack/engine.sh up` makes an engine."""
