"""What keeping checkpoints in a store does to a run: uploads, restores, storage."""

from __future__ import annotations

from typing import NamedTuple

from finsched.decide.paths import INTERNET, egress_usd, find_path, source_of, transfer_hours
from finsched.model.evidence import Evidence
from finsched.model.job import CheckpointSpec
from finsched.model.market import ANY_REGION, EgressTier, Location, Market, TransferPath

KEPT_CHECKPOINTS = 2


class CheckpointStore(NamedTuple):
    """Prices and times of moving one checkpoint between a machine and its store."""

    size_gb: float = 0.0
    upload_tiers: tuple[EgressTier, ...] = ()
    restore_tiers: tuple[EgressTier, ...] = ()
    upload_hours: float = 0.0
    restore_hours: float = 0.0
    usd_per_gb_month: float = 0.0
    evidence: tuple[Evidence, ...] = ()
    marks: tuple[str, ...] = ()

    @property
    def is_priced(self) -> bool:
        """Whether moving a checkpoint has a known price."""
        return bool(self.upload_tiers or self.restore_tiers)

    def moves_usd(self, uploads: float, restores: float) -> float:
        """Egress of the expected number of uploads and restores, in one month."""
        return egress_usd(self.upload_tiers, uploads * self.size_gb) + egress_usd(
            self.restore_tiers, restores * self.size_gb
        )


NO_STORE = CheckpointStore()


def checkpoint_store(
    spec: CheckpointSpec | None, market: Market, place: Location
) -> CheckpointStore:
    """The store of a job's checkpoints as seen from a place; without a URI it is beside the job."""
    if spec is None or spec.size_gb == 0:
        return NO_STORE
    home = place if spec.uri is None else source_of(spec.uri, spec.location)
    beside = spec.uri is None or (home == place and place.region != ANY_REGION)
    if beside:
        return _beside(spec, market, place)
    upload = find_path(market.paths, place, home if spec.location is not None else INTERNET)
    restore = find_path(market.paths, home, place)
    store = _afar(spec.size_gb, upload, restore)
    return _with_storage(store, market, home.provider, spec.uri or "")


def _beside(spec: CheckpointSpec, market: Market, place: Location) -> CheckpointStore:
    within = market.paths.get((place, place))
    hours = 0.0 if within is None else transfer_hours(spec.size_gb, within.gbit_per_second)
    store = CheckpointStore(size_gb=spec.size_gb, upload_hours=hours, restore_hours=hours)
    return _with_storage(store, market, place.provider, spec.uri or str(place))


def _afar(
    size_gb: float, upload: TransferPath | None, restore: TransferPath | None
) -> CheckpointStore:
    known = [path for path in (upload, restore) if path is not None]
    unpriced = len([path for path in known if path.tiers]) < 2
    return CheckpointStore(
        size_gb=size_gb,
        upload_tiers=() if upload is None else upload.tiers,
        restore_tiers=() if restore is None else restore.tiers,
        upload_hours=0.0 if upload is None else transfer_hours(size_gb, upload.gbit_per_second),
        restore_hours=0.0 if restore is None else transfer_hours(size_gb, restore.gbit_per_second),
        evidence=tuple(dict.fromkeys(path.price_evidence for path in known)),
        marks=("price of a checkpoint move unknown: not counted",) if unpriced else (),
    )


def _with_storage(
    store: CheckpointStore, market: Market, provider: str, where: str
) -> CheckpointStore:
    terms = market.terms.get(provider)
    if terms is None or terms.storage is None:
        mark = f"storage price of checkpoints at {where} unknown: not counted"
        return store._replace(marks=(*store.marks, mark))
    return store._replace(
        usd_per_gb_month=terms.storage.usd_per_gb_month,
        evidence=(*store.evidence, terms.storage.evidence),
    )
