"""Which image a machine starts from, and its disks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from finsched.errors import InvalidRequest, NoCapacity
from finsched.toolbox.error_table import NotFound
from finsched_aws.api import Api

_PUBLISHED_BY_AWS = "/aws/service/"
_BYTES_PER_GB = 10**9
_BYTES_PER_GIB = 2**30


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An AMI; `disks` are the EBS disks that it brings, the root disk among them."""

    id: str
    root_device: str
    disks: tuple[Mapping[str, Any], ...]


class Images:
    """Looks images up, once per region and architecture."""

    def __init__(self, api: Api, ami: str) -> None:
        self._api = api
        self._ami = ami
        self._architecture = lru_cache(maxsize=None)(self._ask_architecture)
        self._image = lru_cache(maxsize=None)(self._ask_image)

    def for_type(self, region: str, instance_type: str) -> Image:
        """Return the image for an instance type, of its architecture."""
        return self._image(region, self._architecture(region, instance_type))

    def _ask_architecture(self, region: str, instance_type: str) -> str:
        described = self._api.listed(
            region, "describe_instance_types", "InstanceTypes", InstanceTypes=[instance_type]
        )
        known = [each["ProcessorInfo"]["SupportedArchitectures"] for each in described]
        return "arm64" if any("arm64" in each for each in known) else "x86_64"

    def _ask_image(self, region: str, architecture: str) -> Image:
        ami = self._ami.format(arch=architecture)
        if not ami.startswith("ami-"):
            ami = self._ask_parameter(region, ami)
        described = self._api.listed(region, "describe_images", "Images", ImageIds=[ami])
        if not described:
            fix = "correct aws.ami in the settings"
            raise InvalidRequest(f"aws/{region}: there is no image {ami}", fix=fix)
        return read_image(described[0])

    def _ask_parameter(self, region: str, name: str) -> str:
        """Return an SSM parameter's value; AWS does not publish its images in every region."""
        try:
            answer = self._api.call(region, "get_parameter", service="ssm", Name=name)
        except NotFound as problem:
            if not name.startswith(_PUBLISHED_BY_AWS):
                raise
            fix = "finsched tries another region; name an image of your own in aws.ami"
            raise NoCapacity(problem.message, fix=fix) from problem
        return str(answer["Parameter"]["Value"])


def read_image(described: Mapping[str, Any]) -> Image:
    """Read an image as DescribeImages gives it."""
    return Image(
        id=described["ImageId"],
        root_device=described["RootDeviceName"],
        disks=tuple(disk for disk in described["BlockDeviceMappings"] if "Ebs" in disk),
    )


def disk_mappings(image: Image, disk_gb: float | None) -> list[dict[str, Any]]:
    """Return the image's disks, each ending with its machine, the root disk as large as asked.

    A disk that an image brings outlives its machine unless this says otherwise.
    """
    return [
        {"DeviceName": disk["DeviceName"], "Ebs": _ebs(disk, image.root_device, disk_gb)}
        for disk in image.disks
    ]


def _ebs(disk: Mapping[str, Any], root_device: str, disk_gb: float | None) -> dict[str, Any]:
    size_gib = disk["Ebs"].get("VolumeSize", 1)
    if disk["DeviceName"] == root_device and disk_gb:
        size_gib = max(size_gib, -int(-disk_gb * _BYTES_PER_GB // _BYTES_PER_GIB))
    return {"VolumeSize": size_gib, "VolumeType": "gp3", "DeleteOnTermination": True}
