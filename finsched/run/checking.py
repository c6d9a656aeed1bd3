"""Whether a launch would work, tried out before it costs something: one finding a check."""

from __future__ import annotations

import shutil
import sqlite3
import stat
import tempfile
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import urlsplit

from finsched import plugins, quoting, settings
from finsched.decide.admit import admit
from finsched.errors import FinschedError, LedgerProblem, NotConfigured
from finsched.ledger import Ledger
from finsched.model.job import JobSpec
from finsched.model.quote import Quote
from finsched.node.store import Store, StoreError
from finsched.observe.checks import addresses_make_sense
from finsched.provider import Finding, Provider, Quota, Verdict
from finsched.settings import LEDGER_FILE, Settings

THIS_MACHINE = "local"  # the provider whose machines are this computer
MACHINE, PEOPLE, STORE, JOB = "this computer", "notifications", "store", "job"
_LEAST_FREE_BYTES = 10**9
_RUNS_TO_READ = 50
_PROBE = b"finsched check"
_BUCKETS = {"s3", "gs", "az"}
_STORE_FIX = "check the URI, that the bucket is there, and what the credentials allow"
_MOST_OFFERS_ASKED_FOR = 3


class Checked(NamedTuple):
    """A finding and what it is about: this computer, the store, a provider, the job and so on."""

    about: str
    finding: Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What to check: the settings, the providers that were named, and a job if any."""

    settings: Settings
    providers: tuple[str, ...] = ()
    job: JobSpec | None = None

    def run(self) -> Iterator[Checked]:
        """Yield the findings, from the nearest thing to the farthest."""
        yield from _about(MACHINE, this_computer(self.settings))
        yield from _about(PEOPLE, addresses_make_sense(self.settings))
        yield from _about(STORE, store_works(store_of(self.settings, self.job)))
        for name in self._names():
            yield from _about(name, _without_errors(self._provider(name)))
        if self.job:
            yield from _about(JOB, the_job(self.job, self.settings))

    def _names(self) -> Sequence[str]:
        return self.providers or self.settings.providers or plugins.names()

    def _provider(self, name: str) -> Iterator[Finding]:
        """A provider that nobody asked for may well not be set up."""
        wanted = {*self.providers, *(self.job.where.clouds if self.job else ())}
        try:
            provider = plugins.load(name, self.settings)
        except NotConfigured as problem:
            verdict = Verdict.PROBLEM if name in wanted else Verdict.UNKNOWN
            yield _finding("set up", verdict, problem.message, problem.fix or "")
            return
        except FinschedError as problem:
            yield _finding("set up", Verdict.PROBLEM, problem.message, problem.fix or "")
            return
        yield _parts(provider)
        if provider.compute and name != THIS_MACHINE:
            yield from reach_of_store(name, store_of(self.settings, self.job), self.job)
        if provider.checks:
            yield from provider.checks.run(self.job)


def _about(what: str, findings: Iterable[Finding]) -> Iterator[Checked]:
    return (Checked(what, finding) for finding in findings)


def _without_errors(findings: Iterator[Finding]) -> Iterator[Finding]:
    """A provider that fails in the middle of its checks is a finding, and no end of the others."""
    try:
        yield from findings
    except FinschedError as problem:
        yield _finding("checks", Verdict.PROBLEM, problem.message, problem.fix or "")


# --- this computer -------------------------------------------------------------------------------


def this_computer(chosen: Settings) -> Iterator[Finding]:
    """Yield whether runs can be written down here."""
    try:
        yield _state_dir(chosen)
    except OSError as error:
        fix = "mend its permissions, or name another state_dir in the settings"
        yield _finding("state directory", Verdict.PROBLEM, str(error), fix)
        return
    yield _ledger(chosen)
    yield _disk_space(chosen)


def _state_dir(chosen: Settings) -> Finding:
    folder = chosen.state_dir
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.NamedTemporaryFile(dir=folder) as probe:
        probe.write(_PROBE)
    if stat.S_IMODE(folder.stat().st_mode) & 0o077:
        detail, fix = f"others may look into {folder}", f"chmod 700 {folder}"
        return _finding("state directory", Verdict.PROBLEM, detail, fix)
    return _ok("state directory", str(folder))


def _ledger(chosen: Settings) -> Finding:
    path = chosen.state_dir / LEDGER_FILE
    if not path.exists():
        return _ok("ledger", "none yet: the first launch makes it")
    fix = "put a copy of the file back; the checkpoints are in the runs' stores"
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
            [told] = connection.execute("PRAGMA quick_check(1)").fetchone()
        if told != "ok":
            return _finding("ledger", Verdict.PROBLEM, f"{path} is damaged: {told}", fix)
        ledger = Ledger(path)
        runs = [ledger.run(run) for run in ledger.run_ids()[:_RUNS_TO_READ]]
    except (sqlite3.Error, LedgerProblem) as error:
        fix = getattr(error, "fix", None) or fix
        return _finding("ledger", Verdict.PROBLEM, str(error), fix)
    return _ok("ledger", f"healthy; the newest {len(runs)} runs can be read")


def _disk_space(chosen: Settings) -> Finding:
    free = shutil.disk_usage(chosen.state_dir).free
    detail = f"{free / 10**9:,.1f} GB free below the state directory"
    if free < _LEAST_FREE_BYTES:
        return _finding("disk space", Verdict.PROBLEM, detail, "free some: a run must be recorded")
    return _ok("disk space", detail)


# --- the store -----------------------------------------------------------------------------------


def store_of(chosen: Settings, job: JobSpec | None) -> str:
    """Return where a launch would keep its checkpoints."""
    declared = job.checkpoint.uri if job and job.checkpoint else None
    return declared or chosen.store


def store_works(uri: str) -> Iterator[Finding]:
    """Try a store out; nothing of the probe stays."""
    try:
        store = Store(uri)
    except StoreError as error:
        yield _finding("write", Verdict.PROBLEM, str(error), _STORE_FIX)
    else:
        yield from try_store(store)


def try_store(store: Store) -> Iterator[Finding]:
    """Write, read and remove a probe; a store that lets it be overwritten cannot fence zombies."""
    key = f"check/{uuid.uuid4().hex}"
    try:
        store.create(key, _PROBE)
    except StoreError as error:
        yield _finding("write", Verdict.PROBLEM, str(error), _STORE_FIX)
        return
    try:
        yield _ok("write", store.uri)
        yield _reads_back(store, key)
        yield _creates_once(store, key)
        store.delete(key)
        yield _ok("delete", "the probe is gone")
    except StoreError as error:
        fix = f"allow it; the probe {key} may be left there"
        yield _finding("use", Verdict.PROBLEM, str(error), fix)


def _reads_back(store: Store, key: str) -> Finding:
    if store.get(key) == _PROBE:
        return _ok("read", "the probe came back as it was written")
    return _finding("read", Verdict.PROBLEM, "the probe came back changed", "use another store")


def _creates_once(store: Store, key: str) -> Finding:
    name = "create once"
    if store.create(key, b"another") or store.get(key) != _PROBE:
        detail = "it let a second writer replace what was there: two machines could both commit"
        return _finding(name, Verdict.PROBLEM, detail, "use a store with conditional writes")
    return _ok(name, "a second writer is refused")


def reach_of_store(provider: str, uri: str, job: JobSpec | None) -> Iterator[Finding]:
    """Yield that a run's store is a folder, where the run may go to a cloud."""
    elsewhere = job and job.where.clouds and provider not in job.where.clouds
    if elsewhere or urlsplit(uri).scheme in _BUCKETS:
        return
    detail = f"{uri} is a folder of this computer: machines of {provider} cannot reach it"
    if job is None:
        detail += ", so each job needs a checkpoint.uri of its own"
    fix = "set checkpoint.uri in the job, or store in the settings, to s3://bucket/folder"
    verdict = Verdict.PROBLEM if job else Verdict.UNKNOWN
    yield _finding("reach of the store", verdict, detail, fix)


# --- providers and the job -----------------------------------------------------------------------


def _parts(provider: Provider) -> Finding:
    if provider.compute is None:
        fix = "it can be quoted; launch elsewhere"
        return _finding("set up", Verdict.UNKNOWN, "it cannot launch machines", fix)
    optional = {"inventory": provider.inventory, "notices": provider.notices}
    missing = [name for name, part in optional.items() if part is None]
    lacks = f"; it has no {' and no '.join(missing)}" if missing else ""
    return _ok("set up", f"it can launch where the rest is ok{lacks}")


def the_job(job: JobSpec, chosen: Settings) -> Iterator[Finding]:
    """Yield whether its secrets are here, and where it would be placed now."""
    try:
        values = settings.secret_values(job.secrets)
        yield _ok("secrets", ", ".join(values) or "it declares none")
    except FinschedError as problem:
        yield _finding("secrets", Verdict.PROBLEM, problem.message, problem.fix or "")
    now = datetime.now(UTC)
    market = quoting.read_market(job, chosen, now=now)
    wanted = set(job.where.clouds) or {offer.provider for offer in market.offers}
    has_a_door = bool(market.launchable & wanted)
    decision = quoting.quote_in(
        job, market, now=now, discounts=chosen.discounts, launchable_only=has_a_door
    )
    admission = admit(job, decision, chosen.required_tags)
    for refused in admission.refused:
        fix = "`finsched quote` lists the reason of every offer"
        yield _finding("placement", Verdict.PROBLEM, refused.reason, fix)
    if admission.placement and has_a_door:
        yield _ok("placement", _words(admission.placement))
        yield from _quotas(decision.quotes, chosen)
    elif admission.placement:
        detail = f"{_words(admission.placement)}, but no cloud of the job is set up here"
        yield _finding("placement", Verdict.UNKNOWN, detail, "mend what is above, and check again")


def _quotas(quotes: Sequence[Quote], chosen: Settings) -> Iterator[Finding]:
    """Yield what is known of the quotas of the best offers, one of each kind."""
    asked: dict[str, Quota | None] = {}
    for quote in quotes:
        offer = quote.offer
        name = f"quota for {offer.instance_type.name} {offer.capacity_type} in {offer.region}"
        capacity = plugins.load(offer.provider, chosen).capacity
        if capacity and name not in asked:
            asked[name] = capacity.quota(offer, quote.nodes)
        if len(asked) == _MOST_OFFERS_ASKED_FOR:
            break
    yield from judged_quotas(asked)


def judged_quotas(asked: Mapping[str, Quota | None]) -> Iterator[Finding]:
    """Judge the quotas of offers by name: one that may do is enough for a launch."""
    hopeless = not any(quota is None or quota.is_enough for quota in asked.values())
    for name, quota in asked.items():
        if quota is None:
            yield _finding(name, Verdict.UNKNOWN, "the provider does not say", "")
            continue
        detail = f"{quota.have:g} {quota.unit}s in all, {quota.need:g} needed ({quota.name})"
        if quota.is_enough:
            yield _ok(name, detail)
        else:
            verdict = Verdict.PROBLEM if hopeless else Verdict.UNKNOWN
            fix = f"ask for more of {quota.code} in {quota.region}"
            yield _finding(name, verdict, detail, fix)


def _words(quote: Quote) -> str:
    offer = quote.offer
    where = f"{offer.provider} {offer.zone or offer.region}"
    what = f"{quote.nodes} x {offer.instance_type.name} {offer.capacity_type}"
    return f"{where}, {what}, ${offer.price_usd_per_hour * quote.nodes:.2f} an hour"


def _ok(name: str, detail: str) -> Finding:
    return Finding(name=name, verdict=Verdict.OK, detail=detail)


def _finding(name: str, verdict: Verdict, detail: str, fix: str) -> Finding:
    return Finding(name=name, verdict=verdict, detail=detail, fix=fix)
