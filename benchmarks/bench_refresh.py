"""A refresh of 30 regions, one of four clouds on a bad day, and the quotes after the first.

    python -m benchmarks.bench_refresh

A server replays answers in AWS's shape (tests/providers/aws/replay.py): 100 ms for every page, one
refusal to wait of each service, one region that is dead. The machines of a region are those of the
bundled catalog. The refresh is a whole process, boto3's import included. Then quotes with live
prices and without any are run in turn; live prices are more offers, so reading the market is also
timed by offer.

The bad day: of Azure, Lambda, RunPod and Vast.ai, all on this machine, one is dead, one takes 30
seconds and one tells a hundredth of its prices.
"""

from __future__ import annotations

import csv
import json
import os
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.bench_cli import FINSCHED, QUOTE, Process, run
from finsched.catalog import load_market
from tests.providers.together import KEYS, together

REPLAY = Path(__file__).parents[1] / "tests" / "providers" / "aws" / "replay.py"
REGIONS = 30
DEAD = "mx-central-1"
LATENCY_SECONDS = 0.1
MOST_SECONDS = 5.0
MOST_SECONDS_ON_A_BAD_DAY = 10.0
MOST_TIMES_BY_OFFER = 1.15
ROUNDS = 11


def regions() -> list[str]:
    """Return the regions that sell GPUs in the bundled catalog, and one that is dead."""
    with (REPLAY.with_name("answers") / "machines.csv").open(encoding="utf-8") as file:
        sold = {region for row in csv.DictReader(file) for region in row["regions"].split()}
    return [*sorted(sold)[: REGIONS - 1], DEAD]


@contextmanager
def replaying() -> Iterator[str]:
    """Replay answers in a process of its own, and yield where."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen([sys.executable, str(REPLAY), str(port)])
    url = f"http://127.0.0.1:{port}"
    try:
        steer(url)
        yield url
    finally:
        process.kill()
        process.wait()


def steer(url: str) -> None:
    """Set how the answers come; waits until the server is there."""
    state = {
        "regions": regions(),
        "dead": [DEAD],
        "latency_seconds": LATENCY_SECONDS,
        "throttled": ["GetProducts", "DescribeSpotPriceHistory"],
    }
    body = json.dumps(state).encode()
    for _ in range(100):
        try:
            urllib.request.urlopen(urllib.request.Request(f"{url}/steer", body)).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise SystemExit("the replay did not start")


def environment(folder: Path, url: str) -> dict[str, str]:
    """Return the environment of a user whose only AWS is the replay."""
    folder.mkdir()
    config = folder / "config.toml"
    config.write_text(f'[aws]\nspot_advisor_url = "{url}/spot-advisor-data.json"\n')
    plain = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    plain.pop("PYTHONDONTWRITEBYTECODE", None)
    return plain | {
        "HOME": str(folder),
        "FINSCHED_CONFIG": str(config),
        "FINSCHED_STATE_DIR": str(folder / "state"),
        "FINSCHED_CACHE_DIR": str(folder / "cache"),
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "replayed",
        "AWS_SECRET_ACCESS_KEY": "replayed",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def refresh(own: dict[str, str], url: str) -> bool:
    """Time the refresh, print what came and say whether it was quick enough."""
    steer(url)
    started = time.perf_counter()
    command = [*FINSCHED, "catalog", "refresh", "aws"]
    done = subprocess.run(command, env=own, capture_output=True, text=True, check=True)
    seconds = time.perf_counter() - started
    print(done.stdout, end="")
    print(f"finsched catalog refresh: {seconds:.2f} s of wall time, wanted <= {MOST_SECONDS:g}")
    return seconds <= MOST_SECONDS


def compare_quotes(live: dict[str, str], bundled: dict[str, str]) -> None:
    """Run quotes with and without live prices in turn, and print their medians."""
    for own in (live, bundled):
        run(QUOTE, own)
    pairs = [(run(QUOTE, live), run(QUOTE, bundled)) for _ in range(ROUNDS)]
    with_live, without = (_cpu_ms([pair[side] for pair in pairs]) for side in (0, 1))
    print(
        f"finsched quote: {with_live:.0f} ms CPU with live prices, {without:.0f} ms without,"
        f" {with_live / without:.2f} x"
    )


def _cpu_ms(processes: list[Process]) -> float:
    return 1000 * statistics.median(process.cpu_seconds for process in processes)


def compare_reading(folder: Path) -> bool:
    """Time reading the market by offer, live and bundled in turn."""
    cache_dir, state_dir = folder / "cache", folder / "state"
    live, bundled = [], []
    for _ in range(ROUNDS * 2):
        live.append(_by_offer_us(cache_dir, state_dir))
        bundled.append(_by_offer_us(cache_dir, None))
    (live_us, offers), (bundled_us, fewer) = (min(side) for side in (live, bundled))
    ratio = live_us / bundled_us
    print(
        f"reading the market: {live_us:.2f} us an offer with live prices ({offers:,} offers),"
        f" {bundled_us:.2f} without ({fewer:,}), {ratio:.2f} x, wanted <= {MOST_TIMES_BY_OFFER:g}"
    )
    return ratio <= MOST_TIMES_BY_OFFER


def _by_offer_us(cache_dir: Path, state_dir: Path | None) -> tuple[float, int]:
    started = time.perf_counter()
    market = load_market(now=datetime.now(UTC), cache_dir=cache_dir, state_dir=state_dir)
    offers = len(market.offers)
    return 1e6 * (time.perf_counter() - started) / offers, offers


def bad_day(folder: Path) -> bool:
    """Time a refresh over clouds of which one is well, and print what came."""
    with together() as clouds:
        own = environment(folder, "")
        (folder / "config.toml").write_text(clouds.settings())
        clouds.die("lambda")
        clouds.slow_down("vast")
        clouds.lie()
        command = [*FINSCHED, "catalog", "refresh"]
        started = time.perf_counter()
        done = subprocess.run(command, env=own | KEYS, capture_output=True, text=True, check=True)
        seconds = time.perf_counter() - started
    print(done.stdout, end="")
    print(
        f"finsched catalog refresh, one cloud dead, one slow, one lying: {seconds:.2f} s of wall"
        f" time, wanted <= {MOST_SECONDS_ON_A_BAD_DAY:g}"
    )
    return seconds <= MOST_SECONDS_ON_A_BAD_DAY


def main() -> None:
    """Print every figure; exit 1 when one is not what is wanted."""
    with TemporaryDirectory() as parent, replaying() as url:
        live = environment(Path(parent) / "live", url)
        bundled = environment(Path(parent) / "bundled", url)
        print("the first refresh ever, which compiles the catalog:")
        refresh(live, url)
        held = refresh(live, url)
        compare_quotes(live, bundled)
        held = compare_reading(Path(parent) / "live") and held
        held = bad_day(Path(parent) / "bad") and held
    sys.exit(not held)


if __name__ == "__main__":
    main()
