"""AWS: EC2 machines, spot and on demand.

A quote asks this module whether AWS can be launched on from here, so it imports nothing heavy.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import TYPE_CHECKING

from finsched.errors import NotConfigured
from finsched_aws.credentials import are_configured

if TYPE_CHECKING:
    from finsched.provider import Provider
    from finsched.settings import Settings


def provider(settings: Settings) -> Provider:
    """Return AWS, without a network call; raises NotConfigured naming what is missing."""
    if find_spec("boto3") is None:
        raise NotConfigured("aws needs boto3", fix="pip install 'finsched[aws]'")
    if not are_configured(os.environ):
        raise NotConfigured(
            "aws: no credentials are configured here",
            fix="run `aws configure` or `aws sso login`, or set AWS_PROFILE",
        )
    from finsched_aws.assembly import assemble  # noqa: PLC0415 - only where AWS can be used
    from finsched_aws.settings import aws_settings  # noqa: PLC0415

    return assemble(aws_settings(settings.clouds.get("aws", {})))
