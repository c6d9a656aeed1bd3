"""GPUs go by many names; each means one card, and never silently a larger one."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finsched.catalog import accelerators, nearest_gpus, resolve_gpu
from finsched.model.market import normalise_gpu_name

KNOWN = accelerators()


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("A100", "A100"),
        ("a100", "A100"),
        ("nvidia-tesla-a100", "A100"),
        ("A100-40GB", "A100"),
        ("A100-80GB", "A100-80GB"),
        ("a100_80gb", "A100-80GB"),
        ("A100 80GB", "A100-80GB"),
        ("nvidia-a100-80gb", "A100-80GB"),
        ("A100-SXM4-80GB", "A100-80GB"),
        ("H100-SXM", "H100"),
        ("NVIDIA H100 80GB HBM3", "H100"),
        ("nvidia-h100-mega-80gb", "H100-MEGA"),
        ("H100 PCIe", "H100-PCIe"),
        ("h100nvl", "H100-NVL"),
        ("H200", "H200"),
        ("Tesla T4", "T4"),
        ("GeForce RTX 4090", "RTX4090"),
        ("4090", "RTX4090"),
        ("RTX A6000", "A6000"),
        ("RTX 6000 Ada", "RTX6000-Ada"),
        ("rtx-pro-6000", "RTXPRO6000"),
        ("v100-16gb", "V100"),
        ("V100-32GB", "V100-32GB"),
        ("tpu-v5litepod", "TPU-v5e"),
        ("MI300X", "MI300X"),
    ],
)
def test_spellings(typed: str, name: str) -> None:
    assert resolve_gpu(typed, KNOWN) == name


@pytest.mark.parametrize("typed", ["", "A1000", "A100-96GB", "A100-SXM", "H1000", "gpu", "nvidia"])
def test_unknown_names_are_not_guessed(typed: str) -> None:
    assert resolve_gpu(typed, KNOWN) is None


@given(st.sampled_from(sorted(KNOWN)))
def test_case_blanks_and_dashes_do_not_matter(name: str) -> None:
    assert resolve_gpu(name.upper().replace("-", " "), KNOWN) == name
    assert resolve_gpu("nvidia " + name.lower().replace("-", "_"), KNOWN) == name


def test_no_spelling_means_two_cards() -> None:
    spellings = Counter(
        folded
        for gpu in KNOWN.values()
        for folded in {normalise_gpu_name(text) for text in (gpu.name, *gpu.aliases)}
    )
    assert [text for text, count in spellings.items() if count > 1] == []


def test_the_plain_a100_is_the_40_gib_card() -> None:
    assert KNOWN["A100"].memory_gib == 40
    assert KNOWN["A100-80GB"].memory_gib == 80


def test_a_typing_mistake_gets_near_names() -> None:
    assert nearest_gpus("H1000", KNOWN)[0] == "H100"
    assert "A100" in nearest_gpus("A10O", KNOWN)
    assert nearest_gpus("zzzzzz", KNOWN) == []
