"""loadlab: starts a rig of a target, a Locust master and workers, loads the target, and says what was measured."""

__version__ = "0.1.0"
