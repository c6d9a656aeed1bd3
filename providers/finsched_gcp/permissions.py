"""What the identity that runs finsched must be allowed to: the roles in docs/reference/gcp.md."""

from __future__ import annotations

LOOK_AND_MAKE = (
    "compute.acceleratorTypes.list",
    "compute.addresses.get",
    "compute.addresses.list",
    "compute.disks.create",
    "compute.disks.get",
    "compute.disks.list",
    "compute.disks.setLabels",
    "compute.firewalls.create",
    "compute.firewalls.get",
    "compute.firewalls.list",
    "compute.globalOperations.get",
    "compute.globalOperations.list",
    "compute.images.get",
    "compute.images.getFromFamily",
    "compute.images.useReadOnly",
    "compute.instances.create",
    "compute.instances.get",
    "compute.instances.list",
    "compute.instances.setLabels",
    "compute.instances.setMetadata",
    "compute.instances.setServiceAccount",
    "compute.instances.setTags",
    "compute.machineTypes.list",
    "compute.networks.get",
    "compute.networks.updatePolicy",
    "compute.projects.get",
    "compute.regions.get",
    "compute.regions.list",
    "compute.subnetworks.get",
    "compute.subnetworks.use",
    "compute.subnetworks.useExternalIp",
    "compute.zoneOperations.get",
    "compute.zoneOperations.list",
    "iam.serviceAccounts.get",
    "storage.buckets.get",
)
END = (
    "compute.addresses.delete",
    "compute.disks.delete",
    "compute.firewalls.delete",
    "compute.instances.delete",
)
"""These may be limited to what has finsched's name, so a project as a whole does not grant them."""

ACT_AS = "iam.serviceAccounts.actAs"
