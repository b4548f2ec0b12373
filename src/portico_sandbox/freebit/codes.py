"""What the stand-in answers with. INVENTED but for two: the vendor's table of result codes could not be read."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Code:
    result_code: str
    status_code: str
    message: str

    @property
    def pair(self) -> str:
        """As the vendor's documents write an error: `400-356`."""
        return f"{self.result_code}-{self.status_code}"


SUCCESS = Code("100", "200", "OK")
"""100 is seen in client code; 200 and OK are a recollection."""

UNSUPPORTED_PATTERN = Code("400", "356", "unsupported pattern")
"""The one error that a document names. The text is ours."""


class Invented:
    """None of these is the vendor's. Assert on them through this table only, never on the numbers."""

    INPUT_WRONG = Code("901", "001", "invented: the request could not be understood")
    INTERNAL_ERROR = Code("901", "002", "invented: internal error")
    CREDENTIAL_WRONG = Code("902", "001", "invented: oemId or oemKey is wrong")
    AUTH_KEY_WRONG = Code("902", "002", "invented: authKey is unknown or has expired")
    ACCOUNT_UNKNOWN = Code("903", "001", "invented: no such account")
    ACCOUNT_IN_USE = Code("903", "002", "invented: the account already has a line")
    ACCOUNT_NOT_ACTIVE = Code("903", "003", "invented: the account is not in service")
    EID_IN_USE = Code("904", "001", "invented: the EID already has a line")
    EID_REFUSED = Code("904", "002", "invented: this EID cannot be activated")
    REFUSED = Code("909", "001", "invented: refused")


def code_of(pair: str) -> Code:
    """`resultCode-statusCode` as a dial names it; anything else is `Invented.REFUSED`."""
    for code in (UNSUPPORTED_PATTERN, *(c for c in vars(Invented).values() if isinstance(c, Code))):
        if code.pair == pair:
            return code
    result_code, dash, status_code = pair.partition("-")
    if dash and result_code.isdigit() and status_code.isdigit():
        return Code(result_code, status_code, "refused by a dial")
    return Invented.REFUSED
