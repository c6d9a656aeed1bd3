"""The table `[aws]`, read and refused."""

from __future__ import annotations

from typing import Any

import pytest

from finsched.errors import SpecError
from finsched_aws.settings import DLAMI, aws_settings


def test_the_table_is_read() -> None:
    table = {
        "regions": ["us-west-2"],
        "subnets": {"us-west-2": ["subnet-1"]},
        "instance_profile": "node",
    }
    settings = aws_settings(table)
    assert settings.regions == ("us-west-2",)
    assert settings.subnets == {"us-west-2": ("subnet-1",)}
    assert settings.instance_profile == "node"
    assert settings.ami == DLAMI


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"region": "us-west-2"}, "[aws] has no region"),
        ({"ami": 3}, "[aws] ami is not a text"),
        ({"subnets": ["a"]}, "[aws] subnets is not a table of regions"),
        ({"subnets": {"us-west-2": "a"}}, "[aws] subnets is not a list"),
    ],
)
def test_a_wrong_table_names_the_key(table: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError) as raised:
        aws_settings(table)
    assert message in raised.value.message
    assert raised.value.fix
