"""Ctrl-C and its like, counted instead of raised: for a stretch in which each has its own meaning."""

from __future__ import annotations

import signal
import time
from types import FrameType
from typing import Any

TOGETHER_S = 0.3  # some senders, timeout(1) among them, send the same one twice
ASKING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupts:
    """Counts the signals that ask this process to end, as long as it is entered. For the main thread.

    Of a key that is held down, one each TOGETHER_S counts.
    """

    def __init__(self) -> None:
        self.count = 0
        self._last_at = float("-inf")
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Interrupts:
        for number in ASKING:
            if signal.getsignal(number) != signal.SIG_IGN:  # nohup's wish is respected
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, _signal: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        if now - self._last_at > TOGETHER_S:
            self.count += 1
            self._last_at = now
