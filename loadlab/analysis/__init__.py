"""Pure functions from what a run recorded to what it means: no I/O, no clock, no Locust."""
