"""The background process tells people of its runs as a terminal's launch does."""

from __future__ import annotations

import pytest

from finsched.testing.web import Reply, served

from .conftest import Home, until_true

pytest.importorskip("apprise", reason="the extra `notify` is not installed")
pytestmark = pytest.mark.slow


def test_the_end_of_a_detached_run_is_told(home: Home) -> None:
    with served(lambda _: Reply(document={})) as site:
        urls = home.folder / "urls"
        urls.touch(0o600)
        urls.write_text(f"{site.address.replace('http', 'json')}/s3cr3t\n")
        home.settings(f'notify = {{urls_file = "{urls}"}}\n')
        run_id = home.hand_over(home.job(STEPS="5"))
        home.until(run_id, lambda run: run.outcome)
        until_true(lambda: site.calls, "somebody was told")
    assert [call.json["title"] for call in site.calls] == ["count: finished"]
    assert run_id in site.calls[0].json["message"]
