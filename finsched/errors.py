"""Every exception of finsched, typed by what happens next.

FinschedError                    safe to show: its text is for people
├── SpecError                    the job file or a flag is wrong          exit 2
├── NothingFeasible              no offer can run this job                exit 3
├── OverThreshold                offers exist, all cost too much          exit 4
├── ProviderProblem              a cloud said no                          exit 5
│   ├── NotConfigured            credentials or settings are missing
│   ├── NotAuthorized            stop launching there
│   ├── NoCapacity               cool the pool down, try the next
│   ├── NoQuota                  skip the region, say which quota
│   ├── PriceTooLow              re-quote
│   ├── Throttled                back off
│   ├── NoAnswer                 unknown whether it was done: look, then ask again
│   ├── InvalidRequest           the user's fault, never retried
│   └── ProviderError            an unknown code, shown verbatim
├── JobFailed                    the user's command failed                exit 6
├── StoppedByLimit               budget or deadline, checkpoint kept      exit 7
└── MachineProblem               this machine: disk full, no permission   exit 1
    ├── LedgerProblem            the ledger cannot be read or written
    └── StoreProblem             the checkpoint store cannot be read or written
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """The exit codes of every command: stable and documented."""

    DONE = 0
    OUR_FAULT = 1
    BAD_SPEC = 2
    NOTHING_FEASIBLE = 3
    OVER_THRESHOLD = 4
    PROVIDER = 5
    JOB_FAILED = 6
    STOPPED_BY_LIMIT = 7
    INTERRUPTED = 130


class FinschedError(Exception):
    """Something went wrong that a person can act on.

    `message` says what happened and to what; `fix` says what to do now.
    """

    exit_code = ExitCode.OUR_FAULT

    def __init__(self, message: str, *, fix: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix


class SpecError(FinschedError):
    """The job file, a setting or a flag is wrong; nothing was started."""

    exit_code = ExitCode.BAD_SPEC


class NothingFeasible(FinschedError):
    """No offer in the market can run this job."""

    exit_code = ExitCode.NOTHING_FEASIBLE


class OverThreshold(FinschedError):
    """Offers exist, but every one costs more than the job allows."""

    exit_code = ExitCode.OVER_THRESHOLD


class ProviderProblem(FinschedError):
    """A cloud refused; the subclass says what the scheduler does next."""

    exit_code = ExitCode.PROVIDER


class NotConfigured(ProviderProblem):
    """Credentials or settings of a provider are missing."""


class NotAuthorized(ProviderProblem):
    """The credentials do not allow this: stop launching there."""


class NoCapacity(ProviderProblem):
    """The pool has no machine to give: cool it down and try the next."""


class NoQuota(ProviderProblem):
    """The account may not have more in this region: skip it."""


class PriceTooLow(ProviderProblem):
    """The market moved above our limit: quote again."""


class Throttled(ProviderProblem):
    """Too many calls: back off with jitter."""


class NoAnswer(ProviderProblem):
    """The provider did not answer, so it may or may not have done what was asked."""


class InvalidRequest(ProviderProblem):
    """The request itself is wrong: never retried."""


class ProviderError(ProviderProblem):
    """An unknown code of a provider, shown verbatim."""


class JobFailed(FinschedError):
    """The user's own command ended with a failure."""

    exit_code = ExitCode.JOB_FAILED


class StoppedByLimit(FinschedError):
    """Budget or deadline ended the run; its checkpoint is kept."""

    exit_code = ExitCode.STOPPED_BY_LIMIT


class MachineProblem(FinschedError):
    """This machine is in the way: a full disk, a missing permission."""


class LedgerProblem(MachineProblem):
    """The ledger cannot be read or written."""


class StoreProblem(MachineProblem):
    """The checkpoint store cannot be read or written."""
