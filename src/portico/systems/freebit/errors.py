"""What Freebit's result codes mean to us. The vendor's table could not be read: all but 100 and 400-356 is settings.

The message beside a code is never looked at. Each row here has a captured sample in tests/systems/freebit/captured/.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import structlog

from portico.errors import PorticoError, SetupWrong, SystemDown, SystemRefused
from portico.settings import FreebitSettings
from portico.systems.freebit.calls import CallId

log = structlog.get_logger()

SUCCESS = "100"
UNSUPPORTED_PATTERN = "400-356"
"""`aladinOperated` and `addKind` do not go together: a request of ours that was built wrong."""


@dataclass(frozen=True, slots=True)
class Result:
    """Both codes as text, however they arrived."""

    result_code: str
    status_code: str
    message: str

    @property
    def pair(self) -> str:
        """`400-356`, as the vendor's documents write an error; `vendor_code` of SystemRefused."""
        return f"{self.result_code}-{self.status_code}" if self.status_code else self.result_code

    def is_among(self, codes: Collection[str]) -> bool:
        """Settings name a code by the pair, or by the result code alone."""
        return self.pair in codes or self.result_code in codes


def error_for(settings: FreebitSettings, call_id: CallId, result: Result) -> PorticoError:
    """The error for an answer that is no success; to be raised by the caller."""
    if call_id == "PA01-01" or result.is_among(settings.auth_failure_codes):
        return setup_wrong(call_id, f"{result.pair} {result.message}")
    if result.is_among(settings.busy_codes):
        return SystemDown("freebit", f"{call_id}: {result.pair}, the account is locked", sent=False)
    log.warning("freebit.call.refused", call=call_id, code=result.pair)
    return SystemRefused("freebit", result.pair, result.message, call_id=call_id)


def setup_wrong(call_id: CallId, note: str) -> SetupWrong:
    log.error("freebit.setup.wrong", call=call_id, note=note[:200])
    return SetupWrong("freebit", f"{call_id}: {note}", call_id=call_id)
