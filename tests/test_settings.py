from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from finsched.errors import SpecError
from finsched.settings import _EXAMPLES, _READERS, load, secret_values

REFERENCE = Path(__file__).parent.parent / "docs" / "reference" / "settings.md"


def config(tmp_path: Path, text: str) -> dict[str, str]:
    path = tmp_path / "config.toml"
    path.write_text(text, encoding="utf-8")
    return {"FINSCHED_CONFIG": str(path)}


def test_defaults_need_no_file(tmp_path: Path) -> None:
    settings = load({"FINSCHED_STATE_DIR": str(tmp_path / "state")})
    assert settings.state_dir == tmp_path / "state"
    assert settings.store == (tmp_path / "state" / "store").as_uri()
    assert settings.cache_dir.is_absolute()
    assert settings.lease == timedelta(minutes=10)
    assert settings.local_price_usd_per_hour == 0
    assert (settings.discounts, settings.required_tags, settings.providers) == ({}, (), ())


def test_the_file_is_read_and_the_environment_goes_before_it(tmp_path: Path) -> None:
    environ = config(
        tmp_path,
        """
        state_dir = "/from/file"
        cache_dir = "~/cache"
        store = "s3://bucket/runs"
        discounts = {aws = 0.88, gcp = 1}
        required_tags = ["team"]
        lease_seconds = 90
        local_price_usd_per_hour = 0.25
        providers = ["local"]
        [aws]
        regions = ["us-west-2"]
        subnets = {us-west-2 = ["subnet-1"]}
        instance_profile = "node"
        """,
    )
    settings = load(environ | {"FINSCHED_STATE_DIR": str(tmp_path)})
    assert settings.state_dir == tmp_path
    assert settings.cache_dir == Path.home() / "cache"
    assert settings.store == "s3://bucket/runs"
    assert settings.discounts == {"aws": 0.88, "gcp": 1.0}
    assert settings.required_tags == ("team",)
    assert settings.lease == timedelta(seconds=90)
    assert settings.local_price_usd_per_hour == 0.25
    assert settings.providers == ("local",)
    assert settings.clouds["aws"]["regions"] == ["us-west-2"]
    assert settings.clouds["aws"]["subnets"] == {"us-west-2": ["subnet-1"]}
    assert settings.clouds["aws"]["instance_profile"] == "node"


@pytest.mark.parametrize(
    ("text", "message", "fix"),
    [
        ("stor = 's3://a'", "config.toml: stor is not a setting", "did you mean store?"),
        ("zzz = 1", "zzz is not a setting", "the settings are state_dir, "),
        ("store = 3", "store is not a text", 'write store = "s3://bucket/finsched"'),
        ("discounts = {aws = 1.1}", "discounts of aws is 1.1, not above 0", "{aws = 0.9}"),
        ("discounts = {aws = 0}", "discounts of aws is 0", "{aws = 0.9}"),
        ("discounts = {aws = nan}", "discounts is not a number", "{aws = 0.9}"),
        ("rates = {aws = 3}", "rates is not a table of providers", "p4d.24xlarge"),
        ("rates = {aws = {p5 = 0}}", "rates of p5 is not above 0", "p4d.24xlarge"),
        ("rates = {aws = {p5 = '3'}}", "rates is not a number", "p4d.24xlarge"),
        ("discounts = 3", "discounts is not a table", "{aws = 0.9}"),
        ("lease_seconds = true", "lease_seconds is not a number", "600"),
        ("lease_seconds = 1", "not between 10 seconds and a day", "600"),
        ("local_price_usd_per_hour = -1", "is negative", "0.25"),
        (f"local_price_usd_per_hour = 1{'0' * 400}", "too large", "0.25"),
        ("required_tags = 'team'", "required_tags is not a list", "project"),
        ("aws = 3", "aws is not a setting", "the settings are "),
        ("state_dir = ''", "state_dir is not a text", "state_dir"),
        ("a = ", "not TOML", "correct that line"),
    ],
)
def test_a_wrong_file_is_refused_with_its_name(
    tmp_path: Path, text: str, message: str, fix: str
) -> None:
    with pytest.raises(SpecError) as caught:
        load(config(tmp_path, text))
    assert str(tmp_path) in caught.value.message
    assert message in caught.value.message
    assert fix in str(caught.value.fix)


def test_a_named_file_must_exist_and_be_a_file(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="no such config file"):
        load({"FINSCHED_CONFIG": str(tmp_path / "none.toml")})
    with pytest.raises(SpecError, match="cannot be read"):
        load({"FINSCHED_CONFIG": str(tmp_path)})
    (tmp_path / "latin.toml").write_bytes(b"store = '\xff'")
    with pytest.raises(SpecError, match="not TOML"):
        load({"FINSCHED_CONFIG": str(tmp_path / "latin.toml")})


def test_declared_secrets_are_read_and_never_shown() -> None:
    secrets = secret_values(["HF_TOKEN"], {"HF_TOKEN": "canary", "OTHER": "x"})
    assert secrets == {"HF_TOKEN": "canary"}
    assert "canary" not in repr(secrets) + str(secrets) + f"{secrets}"


def test_missing_secrets_are_named_all_at_once() -> None:
    with pytest.raises(SpecError, match="HF_TOKEN, EMPTY") as caught:
        secret_values(["HF_TOKEN", "SET", "EMPTY"], {"EMPTY": "", "SET": "canary"})
    assert "canary" not in f"{caught.value} {caught.value.fix}"


def test_every_key_is_documented_and_its_example_is_valid(tmp_path: Path) -> None:
    reference = REFERENCE.read_text(encoding="utf-8")
    assert [key for key in _READERS if f"| `{key}` |" not in reference] == []
    assert _EXAMPLES.keys() == _READERS.keys()
    load(config(tmp_path, "\n".join(_EXAMPLES.values())))
