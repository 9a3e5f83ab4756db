"""Starts and stops fleets: one small interface (`engine`), an engine to each way of running the same parts."""
