"""How long a machine may say nothing, with a store that is away now and then."""

from __future__ import annotations

from datetime import timedelta

from finsched.run.silence import FIRST_SIGN_SECONDS, Silence

LEASE = timedelta(hours=1)
PATIENCE_SECONDS = 2 * LEASE.total_seconds()
LOOK_SECONDS = 400.0


def too_long_at(*, away_every: int | None = None) -> float:
    """When a machine that has spoken once is given up; some looks meet a store that is away."""
    silence, now = Silence(LEASE), 0.0
    assert not silence.too_long(1, now)
    for look in range(1, 1000):
        now += LOOK_SECONDS
        if away_every and look % away_every == 0:
            silence.cannot_tell(now)
        elif silence.too_long(1, now):
            return now
    raise AssertionError("it was never too long")


def test_a_machine_that_falls_silent_is_given_up_after_two_leases() -> None:
    assert PATIENCE_SECONDS < too_long_at() <= PATIENCE_SECONDS + LOOK_SECONDS


def test_what_nobody_could_hear_does_not_count_and_changes_nothing_else() -> None:
    assert too_long_at() < too_long_at(away_every=5) < 1.5 * PATIENCE_SECONDS


def test_a_new_letter_begins_the_wait_anew() -> None:
    silence = Silence(LEASE)
    for number in range(1, 20):
        assert not silence.too_long(number, number * PATIENCE_SECONDS)


def test_a_first_word_may_take_as_long_as_a_boot() -> None:
    silence = Silence(timedelta(minutes=1))
    assert not silence.too_long(0, 0.0)
    assert not silence.too_long(0, FIRST_SIGN_SECONDS)
    assert silence.too_long(0, FIRST_SIGN_SECONDS + 1)
