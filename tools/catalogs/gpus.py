"""GPU models: one canonical name each, the aliases people type, and datasheet figures."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from tools.catalogs.sources import source_id
from tools.catalogs.tables import RawRow, number, read_rows

COLUMNS = (
    "name",
    "vendor",
    "memory_gib",
    "tdp_watts",
    "dense_fp16_tflops",
    "memory_bandwidth_gb_per_s",
    "interconnect",
    "aliases",
    "source",
    "note",
)
SAME = {  # what some lists call a GPU that has another name here
    "GeForce-RTX-4090": "RTX4090",
    "GeForce-RTX-5090": "RTX5090",
    "RTX4090-(High-freq.)": "RTX4090",
    "RTX5090-(High-freq.)": "RTX5090",
}
ALIASES = {  # spelling is compared without case, blanks, dashes and a vendor's prefix
    "A100": ("A100-40GB", "A100-40G", "A100-SXM4-40GB", "A100-SXM-40GB", "A100-PCIe-40GB"),
    "A100-80GB": (
        "A100-80",
        "A100-80G",
        "A100-SXM4-80GB",
        "A100-SXM-80GB",
        "A100-PCIe-80GB",
        "A100-80GB-PCIe",
        "A100-80GB-SXM",
        "A100-80GB-SXM4",
    ),
    "A10G": ("A10G-24GB",),
    "A6000": ("RTX-A6000",),
    "B200": ("B200-SXM", "B200-SXM6", "B200-180GB"),
    "B300": ("B300-SXM", "B300-SXM6"),
    "GB200": ("GB200-NVL72",),
    "GH200": ("GH200-96GB", "GH200-480GB"),
    "H100": ("H100-SXM", "H100-SXM5", "H100-80GB", "H100-80GB-HBM3", "H100-SXM-80GB"),
    "H100-MEGA": ("H100-80GB-MEGA", "H100-MEGA-80GB"),
    "H100-NVL": ("H100-94GB", "H100-NVL-94GB"),
    "H100-PCIe": ("H100-PCIe-80GB", "H100-80GB-PCIe"),
    "H200": ("H200-SXM", "H200-SXM5", "H200-141GB"),
    "L40S": ("L40S-48GB",),
    "P100": ("P100-16GB", "P100-PCIe"),
    "RTX6000": ("Quadro-RTX-6000",),
    "RTX6000-Ada": ("RTX-ADA-6000", "6000-Ada"),
    "RTX4000-Ada": ("RTX-ADA-4000", "4000-Ada"),
    "RTXPRO6000": ("RTX-PRO-6000-Blackwell", "PRO-6000", "RTX-PRO-6000-SE", "RTX-PRO-6000-WE"),
    "TPU-v5e": ("TPU-v5-lite", "TPU-v5litepod", "v5e"),
    "TPU-v5p": ("v5p",),
    "TPU-v6e": ("v6e", "Trillium"),
    "Trainium": ("Trainium1", "trn1"),
    "Trainium2": ("trn2",),
    "Inferentia": ("Inferentia1", "inf1"),
    "Inferentia2": ("inf2",),
    "V100": ("V100-16GB", "V100-SXM2", "V100-SXM2-16GB"),
    "V100-32GB": ("V100-32G", "V100-SXM2-32GB"),
}


class GpuRow(NamedTuple):
    """One GPU model as the catalog writes it."""

    name: str
    vendor: str
    memory_gib: float | None
    tdp_watts: float | None
    dense_fp16_tflops: float | None
    memory_bandwidth_gb_per_s: float | None
    interconnect: str
    aliases: str
    source: str
    note: str


def canonical(name: str) -> str:
    """Return the one name of a GPU that lists spell differently."""
    return SAME.get(name, name)


def gpus(raw: Path) -> list[GpuRow]:
    """Every GPU with a datasheet, and the ones that are only sold, with the memory sold."""
    known = [_datasheet(row) for row in read_rows(raw / "specs/gpus.csv")]
    names = {row.name for row in known}
    return [*known, *_sold_only(read_rows(raw / "prices/market.csv"), names)]


def _datasheet(row: RawRow) -> GpuRow:
    return GpuRow(
        row["gpu_name"],
        row["vendor"],
        number(row["memory_gib"]),
        number(row["tdp_watts"]),
        number(row["fp16_or_bf16_dense_tflops"]),
        number(row["memory_bandwidth_gbs"]),
        row["interconnect"],
        _aliases(row["gpu_name"], row["aliases"].split()),
        source_id(row["source"]),
        row["note"],
    )


def _sold_only(rows: list[RawRow], known: set[str]) -> list[GpuRow]:
    memory: dict[str, tuple[float, str]] = {}
    for row in rows:
        name = canonical(row["gpu_name"])
        if name not in known:
            seen = (float(row["gpu_memory_gib"]), source_id(row["source"]))
            memory[name] = max(memory.get(name, seen), seen)
    return [
        GpuRow(name, "NVIDIA", gib, None, None, None, "", _aliases(name), source, "memory as sold")
        for name, (gib, source) in memory.items()
    ]


def _aliases(name: str, listed: Iterable[str] = ()) -> str:
    aliases = {*listed, *ALIASES.get(name, ())}
    if name.startswith("RTX") and name[3:4].isdigit() and "Ada" not in name and name != "RTX6000":
        aliases.add(name.removeprefix("RTX"))
    return " ".join(sorted(aliases))
