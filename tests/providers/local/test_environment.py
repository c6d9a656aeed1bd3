"""What of the caller's environment is given to a machine."""

from __future__ import annotations

import pytest

from finsched_local.environment import machine_environment

NEEDED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "PYTHONPATH", "VIRTUAL_ENV")
FOR_A_REMOTE_STORE = ("AWS_SECRET_ACCESS_KEY", "AZURE_CLIENT_ID", "GOOGLE_X", "https_proxy")
PRIVATE = ("RUNPOD_API_KEY", "HF_TOKEN", "SSH_AUTH_SOCK", "AWSOME", "MY_PATH", "FINSCHED_INSTANCE")


@pytest.mark.parametrize(
    ("store_uri", "given"),
    [
        ("file:///runs/r1", NEEDED),
        ("s3://bucket/r1", NEEDED + FOR_A_REMOTE_STORE),
        ("az://container/r1", NEEDED + FOR_A_REMOTE_STORE),
    ],
)
def test_a_machine_gets_what_it_needs_and_no_more(store_uri: str, given: tuple[str, ...]) -> None:
    environment = dict.fromkeys(NEEDED + FOR_A_REMOTE_STORE + PRIVATE, "value")
    assert machine_environment(environment, store_uri) == dict.fromkeys(given, "value")
