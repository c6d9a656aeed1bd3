"""The speed of a machine at a job: measured, declared, or from datasheets; and its start."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finsched.decide.offers.speed import Paces, Speed, speed_of
from finsched.decide.offers.startup import boot_of
from finsched.model.evidence import Quality
from finsched.model.experience import Pace, Starts
from finsched.model.job import GpuRequest, JobSpec, Work
from finsched.testing.builders import ACCELERATORS, TODAY, job, machine, terms

A100, H100 = machine(), machine(name="p5.48xlarge", gpu="H100")
ROOFLINE = 3350 / 2039  # H100 against A100-80GB: the smaller of the datasheets' two ratios


def pace(factor: float, hours: float = 10.0) -> Pace:
    return Pace(attempts=2, work_hours=factor * hours, hours=hours, first=TODAY, last=TODAY)


def speed(spec: JobSpec, on: object = H100, paces: Paces | None = None) -> Speed:
    found = speed_of(spec, on, ACCELERATORS, paces or {})  # type: ignore[arg-type]
    assert found is not None
    return found


def declared(factor: float) -> JobSpec:
    return job(work=Work(hours=40, reference="A100-80GB", speedup={"H100": factor}))


def test_datasheets_tell_where_nothing_was_measured() -> None:
    assert speed(job()).factor == pytest.approx(ROOFLINE)
    assert speed(job(), A100).factor == 1


@given(said=st.floats(0.1, 10), measured=st.floats(0.1, 10))
def test_what_was_measured_goes_before_what_was_declared(said: float, measured: float) -> None:
    found = speed(declared(said), paces={("H100", 8): pace(measured)})
    assert found.factor == pytest.approx(measured)
    assert found.marks == ()
    (evidence,) = found.evidence
    assert evidence.quality is Quality.MEASURED
    assert evidence.source == "2 own attempts"
    assert evidence.as_of == TODAY


def test_the_reference_itself_may_be_slower_than_stated() -> None:
    slow: Paces = {("A100-80GB", 8): pace(0.8)}
    assert speed(job(), A100, slow).factor == pytest.approx(0.8)
    assert speed(job(), H100, slow).factor == pytest.approx(0.8 * ROOFLINE)
    found = speed(declared(2.2), H100, slow)
    assert found.factor == pytest.approx(0.8 * 2.2)
    assert [each.quality for each in found.evidence] == [Quality.DECLARED, Quality.MEASURED]


def test_another_measured_gpu_says_nothing_of_the_reference() -> None:
    assert speed(job(), A100, {("H100", 8): pace(3.0)}).factor == 1


def test_another_count_scales_linearly_and_says_so() -> None:
    either = job(gpus=(GpuRequest(count=8, name="H100"), GpuRequest(count=4, name="H100")))
    found = speed(either, machine(name="half", gpu="H100", gpu_count=4), {("H100", 8): pace(3.0)})
    assert found.factor == pytest.approx(1.5)
    assert found.marks == ("linear scaling from 8 to 4 GPUs assumed",)
    assert found.evidence[0].quality is Quality.MEASURED


def test_of_several_counts_the_one_with_the_most_hours_tells() -> None:
    paces = {("H100", 2): pace(1.0, hours=1), ("H100", 4): pace(1.0, hours=9)}
    assert speed(job(), H100, paces).factor == pytest.approx(2.0)


def test_a_machine_without_gpu_has_its_own_pace() -> None:
    bare = machine(name="c7i.large", gpu=None, gpu_count=0)
    spec = job(gpus=())
    assert speed(spec, bare, {("c7i.large", 0): pace(0.5)}).factor == pytest.approx(0.5)
    assert speed(spec, bare, {("c7i.xlarge", 0): pace(0.5)}).factor == 1


# --- starts --------------------------------------------------------------------------------


def starts(count: int, seconds: float) -> Starts:
    return Starts(count=count, seconds=count * seconds, first=TODAY, last=TODAY)


def test_without_own_starts_the_catalog_tells() -> None:
    boot = boot_of(terms(boot=timedelta(seconds=180)), None)
    assert boot.hours == pytest.approx(180 / 3600)


@pytest.mark.parametrize(("count", "seconds"), [(1, 140), (2, 120), (198, 60.6 + 0.6)])
def test_own_starts_take_over_from_the_catalog(count: int, seconds: float) -> None:
    boot = boot_of(terms(boot=timedelta(seconds=180)), starts(count, 60))
    assert boot.hours * 3600 == pytest.approx(seconds, abs=0.1)
    assert boot.evidence is not None
    assert boot.evidence.quality is Quality.MEASURED
    assert boot.evidence.source == f"{count} own start{'' if count == 1 else 's'}"


@given(count=st.integers(1, 100), own=st.floats(1, 5000), listed=st.floats(1, 5000))
def test_a_learnt_start_lies_between_the_catalog_and_our_own(
    count: int, own: float, listed: float
) -> None:
    boot = boot_of(terms(boot=timedelta(seconds=listed)), starts(count, own))
    low, high = sorted((own, listed))
    assert low - 1e-3 <= boot.hours * 3600 <= high + 1e-3
