"""What the metadata services of Google and Azure say, and what of it is a notice."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta

import pytest

from finsched.node.clock import utc_now
from finsched.node.notices.sources import AzureNotices, GoogleNotices
from finsched.node.notices.told import InterruptionNotice
from finsched.node.notices.watch import NoticeWatch
from finsched.testing.metadata import AzureMetadata, GoogleMetadata

VM = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/finsched-1"


@pytest.fixture
def google() -> Iterator[GoogleMetadata]:
    with closing(GoogleMetadata("finsched-1")) as metadata:
        yield metadata


@pytest.fixture
def azure() -> Iterator[AzureMetadata]:
    with closing(AzureMetadata(VM)) as metadata:
        yield metadata


def test_a_preemption_before_the_first_question_is_heard_at_once(google: GoogleMetadata) -> None:
    google.give_notice(utc_now())
    assert GoogleNotices(google.url).hear() == InterruptionNotice(None)


def test_a_preemption_is_heard_while_it_is_waited_for(google: GoogleMetadata) -> None:
    source = GoogleNotices(google.url)
    assert source.hear() is None
    threading.Timer(0.2, google.give_notice, [utc_now()]).start()
    asked_at = time.monotonic()
    assert source.hear() == InterruptionNotice(None)
    assert time.monotonic() - asked_at < 15, "without an answer it waits for 20"


def test_a_preemption_between_two_questions_is_not_waited_out(google: GoogleMetadata) -> None:
    source = GoogleNotices(google.url)
    assert source.hear() is None
    google.give_notice(utc_now())
    asked_at = time.monotonic()
    assert source.hear() == InterruptionNotice(None)
    assert time.monotonic() - asked_at < 15, "without an answer it waits for 20"


def test_maintenance_is_no_preemption(google: GoogleMetadata) -> None:
    google.give_hint()
    assert GoogleNotices(google.url).hear() is None


def test_only_an_eviction_of_this_machine_is_a_notice(azure: AzureMetadata) -> None:
    source = AzureNotices(azure.url)
    azure.give_hint()
    azure.announce_another(utc_now() + timedelta(seconds=30))
    assert source.hear() is None
    ends_at = (utc_now() + timedelta(seconds=30)).replace(microsecond=0)
    azure.give_notice(ends_at)
    assert source.hear() == InterruptionNotice(ends_at)


def test_the_cloud_is_known_from_the_environment(
    azure: AzureMetadata, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FINSCHED_CLOUD", "azure")
    watch = NoticeWatch(azure.url, poll_seconds=0.01)
    azure.give_notice(utc_now() + timedelta(seconds=30))
    give_up_at = time.monotonic() + 10
    while watch.notice is None:
        assert time.monotonic() < give_up_at
        time.sleep(0.01)
    watch.close()
