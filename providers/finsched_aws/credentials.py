"""Whether AWS credentials are configured here, told from files and variables alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

_VARIABLES = (
    "AWS_ACCESS_KEY_ID",
    "AWS_PROFILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
)
_KEYS = {
    "aws_access_key_id",
    "credential_process",
    "login_session",
    "role_arn",
    "sso_session",
    "sso_start_url",
}
_FILES = {"AWS_SHARED_CREDENTIALS_FILE": "credentials", "AWS_CONFIG_FILE": "config"}
_VENDOR = Path("/sys/devices/virtual/dmi/id/sys_vendor")


def are_configured(environ: Mapping[str, str]) -> bool:
    """Say whether boto3 would find credentials; whether they are valid only AWS can say."""
    if any(environ.get(variable) for variable in _VARIABLES):
        return True
    return any(_holds_credentials(file) for file in _files(environ)) or _on_ec2()


def _files(environ: Mapping[str, str]) -> list[Path]:
    return [
        Path(environ.get(variable) or f"~/.aws/{name}").expanduser()
        for variable, name in _FILES.items()
    ]


def _holds_credentials(file: Path) -> bool:
    if not file.is_file():
        return False
    from configparser import ConfigParser, Error  # noqa: PLC0415 - a quote asks here

    parser = ConfigParser(interpolation=None, strict=False)
    try:
        parser.read(file, encoding="utf-8")
    except (Error, OSError, ValueError):
        return True  # boto3 says better than we could what is wrong with it
    return any(_KEYS & parser[section].keys() for section in parser)


def _on_ec2() -> bool:
    """A machine of EC2 may have a role's credentials; only the network could tell."""
    try:
        return "amazon" in _VENDOR.read_text(encoding="ascii", errors="replace").lower()
    except OSError:
        return False
