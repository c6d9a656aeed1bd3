"""Whether people would be told of runs: the addresses are read, and nothing is sent."""

from __future__ import annotations

from collections.abc import Iterator

from finsched.errors import SpecError
from finsched.observe import address
from finsched.provider import Finding
from finsched.settings import Settings, notify_urls
from finsched.toolbox.findings import ok, wrong

_FIX = "docs/reference/notifications.md has the form of an address"


def addresses_make_sense(chosen: Settings) -> Iterator[Finding]:
    """Yield a finding an address; none where nobody wants to be told."""
    try:
        urls = notify_urls(chosen)
    except SpecError as problem:
        yield wrong("addresses", problem.message, problem.fix or "")
        return
    if urls and not address.is_installed():
        yield wrong("addresses", "Apprise is not installed", "pip install 'finsched[notify]'")
        return
    for number, url in enumerate(urls, start=1):
        yield _address(f"address {number} ({address.service(url)})", url)


def _address(name: str, url: str) -> Finding:
    try:
        address.sender(url)
    except ValueError as error:
        return wrong(name, str(error), _FIX)
    return ok(name, "can be used; nothing was sent")
