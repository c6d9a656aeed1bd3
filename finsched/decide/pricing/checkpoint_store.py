"""What keeping checkpoints in a store does to a run: uploads, restores, storage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from finsched.decide.pricing.paths import INTERNET, Road, Roads, egress_usd, source_of
from finsched.model.evidence import Evidence
from finsched.model.job import CheckpointSpec
from finsched.model.market import ANY_REGION, EgressTier, Location, ProviderTerms


class CheckpointStore(NamedTuple):
    """Prices and times of moving one checkpoint between a machine and its store."""

    size_gb: float = 0.0
    upload_tiers: tuple[EgressTier, ...] = ()
    restore_tiers: tuple[EgressTier, ...] = ()
    upload_hours: float = 0.0
    restore_hours: float = 0.0
    usd_per_gb_month: float = 0.0
    kept: int = 2
    evidence: tuple[Evidence, ...] = ()
    marks: tuple[str, ...] = ()

    @property
    def is_priced(self) -> bool:
        """Whether moving a checkpoint has a known price."""
        return bool(self.upload_tiers or self.restore_tiers)

    def upload_as_hours(self, usd_per_hour: float) -> float:
        """What one more upload costs, in hours of a machine; 0 for one that costs nothing."""
        usd = self.moves_usd(1, 0)
        return usd / usd_per_hour if usd_per_hour > 0 else 0.0

    def moves_usd(self, uploads: float, restores: float) -> float:
        """Egress of the expected number of uploads and restores, in one month."""
        return egress_usd(self.upload_tiers, uploads * self.size_gb) + egress_usd(
            self.restore_tiers, restores * self.size_gb
        )


NO_STORE = CheckpointStore()


def checkpoint_store(
    spec: CheckpointSpec | None,
    roads: Roads,
    terms: Mapping[str, ProviderTerms],
    place: Location,
) -> CheckpointStore:
    """The store of a job's checkpoints as seen from a place; without a URI it is beside the job."""
    if spec is None or spec.size_gb == 0:
        return NO_STORE
    if spec.uri is None:
        return _with_storage(_beside(spec, roads, place), terms, place)
    home = source_of(spec.uri, spec.location)
    if home == place and place.region != ANY_REGION:
        return _with_storage(_beside(spec, roads, place), terms, home)
    upload = roads.between(place, home if spec.location is not None else INTERNET)
    store = _afar(spec, upload, roads.between(home, place))
    return _with_storage(store, terms, home)


def _beside(spec: CheckpointSpec, roads: Roads, place: Location) -> CheckpointStore:
    hours = roads.within(place).hours(spec.size_gb)
    return CheckpointStore(
        size_gb=spec.size_gb, kept=spec.keep, upload_hours=hours, restore_hours=hours
    )


def _afar(spec: CheckpointSpec, upload: Road, restore: Road) -> CheckpointStore:
    known = [road.path for road in (upload, restore) if road.path is not None]
    return CheckpointStore(
        size_gb=spec.size_gb,
        kept=spec.keep,
        upload_tiers=() if upload.path is None else upload.path.tiers,
        restore_tiers=() if restore.path is None else restore.path.tiers,
        upload_hours=upload.hours(spec.size_gb),
        restore_hours=restore.hours(spec.size_gb),
        evidence=tuple(dict.fromkeys(path.price_evidence for path in known)),
        marks=_marks(upload, restore),
    )


def _marks(upload: Road, restore: Road) -> tuple[str, ...]:
    if not (upload.is_priced and restore.is_priced):
        return ("price of a checkpoint move unknown: not counted",)
    if upload.assumed or restore.assumed:
        return ("price of a checkpoint move unknown: taken as the provider's dearest",)
    return ()


def _with_storage(
    store: CheckpointStore, terms: Mapping[str, ProviderTerms], home: Location
) -> CheckpointStore:
    known = terms.get(home.provider)
    if known is None or known.storage is None:
        mark = f"storage price of checkpoints on {home.provider} unknown: not counted"
        return store._replace(marks=(*store.marks, mark))
    return store._replace(
        usd_per_gb_month=known.storage.usd_per_gb_month,
        evidence=(*store.evidence, known.storage.evidence),
    )
