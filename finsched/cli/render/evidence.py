"""Where a figure comes from, as JSON."""

from __future__ import annotations

from typing import Any

from finsched.model.evidence import Evidence


def evidence_document(evidence: Evidence) -> dict[str, Any]:
    """Return an evidence with its source, quality and dates."""
    return {
        "source": evidence.source,
        "quality": evidence.quality,
        "earliest": evidence.earliest,
        "latest": evidence.latest,
        "note": evidence.note,
    }
