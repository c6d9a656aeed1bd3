"""What a user says about AWS; credentials are none of it, they come as every AWS tool's do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from finsched.bootstrap.access import AccessRules, read_access
from finsched.settings_values import names, names_by_region, read_table, text

DLAMI = "/aws/service/deeplearning/ami/{arch}/base-oss-nvidia-driver-gpu-ubuntu-24.04/latest/ami-id"
SPOT_ADVISOR_URL = "https://spot-bid-advisor.s3.amazonaws.com/spot-advisor-data.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsSettings:
    """The table `[aws]`.

    `regions` is where finsched may launch and looks for what is its own; empty means every region
    that the account has enabled. `subnets` are those of a region to launch into, empty means the
    default ones. `ami` is an AMI's id, or an SSM parameter with `{arch}` for x86_64 or arm64.
    `spot_advisor_url` is where the public feed of interruption frequencies is read. `access` says
    how machines reach stores of other clouds.
    """

    regions: tuple[str, ...] = ()
    subnets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    instance_profile: str = ""
    ami: str = DLAMI
    spot_advisor_url: str = SPOT_ADVISOR_URL
    access: AccessRules = field(default_factory=AccessRules)


_READERS = {
    "access": read_access,
    "regions": names,
    "subnets": names_by_region,
    "instance_profile": text,
    "ami": text,
    "spot_advisor_url": text,
}


def aws_settings(table: Mapping[str, Any]) -> AwsSettings:
    """Read the table; raises SpecError naming the key."""
    return AwsSettings(**read_table("aws", table, _READERS))
