"""How a job's data reaches its machine and leaves it: stay, stream or copy once."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import replace
from math import fsum
from typing import NamedTuple

from finsched.decide.pricing.paths import INTERNET, Road, Roads, source_of
from finsched.model.evidence import Evidence
from finsched.model.job import Dataset, JobSpec
from finsched.model.market import ANY_REGION, Location, StorageRate
from finsched.model.quote import Movement, TransferPlan

HOURS_PER_MONTH = 730.0
_MOST_READS = 10_000
_NO_ROAD = Road(None)


class Move(NamedTuple):
    """One dataset's plan, and what it does to the run around it."""

    plan: TransferPlan
    idle_hours: float = 0.0  # the GPU waits
    kept_gb: float = 0.0  # stored beside the job while it runs
    is_lost: bool = False  # the copy is on the machine: each interruption moves it again
    mark: str | None = None


class DataPlan(NamedTuple):
    """The moves of all datasets together."""

    moves: tuple[TransferPlan, ...]
    usd: float
    streamed_usd: float  # part of `usd` that is paid again with rework
    staging_hours: float
    restage_hours: float  # after each interruption
    restage_usd: float
    kept_gb: float
    evidence: tuple[Evidence, ...]
    marks: tuple[str, ...]


def data_plans(
    job: JobSpec, roads: Roads, storage: StorageRate | None, place: Location, work_hours: float
) -> tuple[DataPlan, ...]:
    """The plan with the least dollars for data, then all streamed and all copied where they differ.

    Which is the cheapest run depends on the machine: its price while it waits, its interruptions.
    """
    options = [
        input_moves(dataset, roads, place, storage, work_hours) for dataset in job.inputs
    ] + [(output_move(dataset, roads, place),) for dataset in job.outputs]
    cheapest = tuple(moves[0] for moves in options)
    streamed = tuple(min(moves, key=_is_copy) for moves in options)
    copied = tuple(max(moves, key=_is_copy) for moves in options)
    # By identity: hashing a move by value costs more than putting the plan together.
    distinct = {tuple(map(id, moves)): moves for moves in (cheapest, streamed, copied)}
    return tuple(_together(moves) for moves in distinct.values())


def _is_copy(move: Move) -> bool:
    return move.plan.movement is Movement.COPY_ONCE


def input_moves(
    dataset: Dataset,
    roads: Roads,
    place: Location,
    storage: StorageRate | None,
    work_hours: float,
) -> tuple[Move, ...]:
    """The ways an input can reach the job: the one with the least dollars first.

    Streaming reads overlap with the work; the GPU waits only for what is slower than the work.
    """
    source = source_of(dataset.uri, dataset.location)
    if place in (source, *dataset.copies) and place.region != ANY_REGION:
        return (Move(_plan(dataset, place, place, Movement.STAY)),)
    road = roads.between(source, place)
    mark = _mark(dataset, source, road)
    streamed_gb = dataset.size_gb * dataset.reads
    plan = _plan(dataset, source, place, Movement.STREAM, road, streamed_gb)
    stream = Move(plan, max(0.0, plan.hours - work_hours), mark=mark)
    if not road.is_priced:
        return (stream,)
    plan = _plan(dataset, source, place, Movement.COPY_ONCE, road, dataset.size_gb)
    copy = Move(plan, plan.hours, dataset.size_gb, is_lost=storage is None, mark=mark)
    copied_usd = plan.usd + storage_usd(storage, dataset.size_gb, work_hours)
    stream, copy = _compared(stream, copy, _break_even_reads(road, dataset.size_gb, copied_usd))
    if (copied_usd, copy.idle_hours) < (stream.plan.usd, stream.idle_hours):
        return copy, stream
    return stream, copy


def output_move(dataset: Dataset, roads: Roads, place: Location) -> Move:
    """An output is written once, at the end, while the GPU waits."""
    destination = dataset.location or INTERNET
    if destination == place and place.region != ANY_REGION:
        return Move(_plan(dataset, place, destination, Movement.STAY))
    road = roads.between(place, destination)
    plan = _plan(dataset, place, destination, Movement.COPY_ONCE, road, dataset.size_gb)
    return Move(plan, plan.hours, mark=_mark(dataset, place, road))


def storage_usd(rate: StorageRate | None, size_gb: float, hours: float) -> float:
    """What keeping decimal gigabytes for some hours costs; 0 where no storage is sold."""
    return 0.0 if rate is None else rate.usd_per_gb_month * size_gb * hours / HOURS_PER_MONTH


def _break_even_reads(road: Road, size_gb: float, copied_usd: float) -> int | None:
    """The fewest reads at which copying once, its storage included, is not dearer than streaming.

    None when that is never so, as on a free path.
    """
    reads = bisect_left(
        range(1, _MOST_READS + 1), copied_usd, key=lambda count: road.usd(size_gb * count)
    )
    return None if reads == _MOST_READS else reads + 1


def _compared(stream: Move, copy: Move, break_even_reads: int | None) -> tuple[Move, Move]:
    """Both moves, each knowing what the other would cost."""
    return (
        _with_alternative(stream, copy.plan.usd, break_even_reads),
        _with_alternative(copy, stream.plan.usd, break_even_reads),
    )


def _with_alternative(move: Move, usd: float, break_even_reads: int | None) -> Move:
    plan = replace(move.plan, alternative_usd=usd, break_even_reads=break_even_reads)
    return move._replace(plan=plan)


def _plan(
    dataset: Dataset,
    source: Location,
    destination: Location,
    movement: Movement,
    road: Road = _NO_ROAD,
    moved_gb: float = 0.0,
) -> TransferPlan:
    path = road.path
    return TransferPlan(
        uri=dataset.uri,
        source=source,
        destination=destination,
        movement=movement,
        size_gb=dataset.size_gb,
        usd=road.usd(moved_gb),
        alternative_usd=None,
        hours=road.hours(moved_gb),
        break_even_reads=None,
        evidence=() if path is None else (path.price_evidence, path.speed_evidence),
    )


def _mark(dataset: Dataset, source: Location, road: Road) -> str | None:
    if not road.is_priced:
        return f"transfer price of {dataset.uri} from {source} unknown: not counted"
    if dataset.location is None:
        return f"region of {dataset.uri} unknown: priced as the internet"
    if road.assumed:
        return f"egress of {source} unknown: taken as the dearest of {source.provider}"
    return None


def _together(moves: tuple[Move, ...]) -> DataPlan:
    plans = tuple(move.plan for move in moves)
    lost = [move for move in moves if move.is_lost]
    return DataPlan(
        moves=plans,
        usd=fsum(plan.usd for plan in plans),
        streamed_usd=fsum(plan.usd for plan in plans if plan.movement is Movement.STREAM),
        staging_hours=fsum(move.idle_hours for move in moves),
        restage_hours=fsum(move.idle_hours for move in lost),
        restage_usd=fsum(move.plan.usd for move in lost),
        kept_gb=fsum(move.kept_gb for move in moves if not move.is_lost),
        evidence=tuple(dict.fromkeys(known for plan in plans for known in plan.evidence)),
        marks=tuple(dict.fromkeys(move.mark for move in moves if move.mark is not None)),
    )
