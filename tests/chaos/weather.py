"""Bad weather on the network: one proxy at a time misbehaves for a while, out of a seed."""

import random
import time
from collections.abc import Mapping

from chaos.proxy import Mode, TcpProxy

_EVERYWHERE = (Mode.LATENCY, Mode.CUT, Mode.HALF_OPEN, Mode.BLACK_HOLE, Mode.REFUSE)
#: What may befall the connections of each proxy.
_KINDS: Mapping[str, tuple[Mode, ...]] = {
    "database": (*_EVERYWHERE, Mode.CUT_AFTER_COMMIT),
    **dict.fromkeys(("broker", "bucket", "upstream", "callers", "public"), _EVERYWHERE),
}
_SECONDS = (0.5, 3.0)
_COMMITS_CUT_SHARE = 0.3


class Weather:
    """Changes the modes of proxies, and back; of all kinds only those whose words hold `kinds`."""

    def __init__(self, proxies: Mapping[str, TcpProxy], seed: int, kinds: str = "") -> None:
        self._proxies = proxies
        self._kinds = [
            (name, mode)
            for name, modes in _KINDS.items()
            for mode in modes
            if kinds in f"{name}: {mode}"
        ]
        self._chance = random.Random(f"{seed} weather")  # noqa: S311 - it guards nothing
        self._until: dict[str, float] = {}
        self._began = time.monotonic()
        self.diary: list[str] = []

    def change(self) -> None:
        """Let one proxy misbehave for a while."""
        name, mode = self._chance.choice(self._kinds)
        self.turn(name, mode, self._chance.uniform(*_SECONDS))

    def turn(self, name: str, mode: Mode, seconds: float) -> None:
        """Let this proxy misbehave like this for so long."""
        share = _COMMITS_CUT_SHARE if mode is Mode.CUT_AFTER_COMMIT else 1.0
        self._proxies[name].set(mode, share=share)
        self._until[name] = time.monotonic() + seconds
        at = time.monotonic() - self._began
        self.diary.append(f"{at:7.2f} s  {name}: {mode} for {seconds:.1f} s")

    def pass_by(self) -> None:
        """End what has lasted long enough."""
        now = time.monotonic()
        for name in [name for name, until in self._until.items() if now >= until]:
            del self._until[name]
            self._proxies[name].set(Mode.PASS)

    def clear(self) -> None:
        """End everything."""
        for proxy in self._proxies.values():
            proxy.set(Mode.PASS)
        self._until.clear()
