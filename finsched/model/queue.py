"""What limits the queue of the per-user process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueLimits:
    """How many runs the per-user process carries at once; a tag is written `key=value`.

    None and a provider or tag that is not named mean no limit.
    """

    total: int | None = None
    per_provider: Mapping[str, int] = field(default_factory=dict)
    per_tag: Mapping[str, int] = field(default_factory=dict)
