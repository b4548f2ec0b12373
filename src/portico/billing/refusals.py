"""What can stand in the way of changing a profile or an e-mail address; of the tree in errors.py.

Refusal
├── InputWrong
│   └── ProfileChanged       a field was changed by somebody else since it was shown
├── ProfileRefused           WHMCS did not take it, for a reason that no field is to blame for
├── NotSaved                 WHMCS is away, nothing was changed
├── OutcomeUnknown           WHMCS did not answer, it may have been changed
├── EmailCodeExpired         the code for a new address is used up or too old
└── EmailChangeRunning       the last change of the address is not finished yet
"""

from __future__ import annotations

from portico.errors import InputWrong, Refusal
from portico.i18n import _m


class ProfileChanged(InputWrong):
    status = 409
    code = "profile_changed"
    for_customer = _m("This was changed meanwhile by somebody else. Check the marked fields and save again.")


class ProfileRefused(Refusal):
    status = 422
    code = "profile_refused"
    for_customer = _m("Our billing system did not take this. Check what you entered, or contact support.")


class NotSaved(Refusal):
    status = 503
    code = "try_again_later"
    for_customer = _m("We can not save this just now. Nothing was changed; please try again in a few minutes.")
    retry = True
    retry_after = 60


class OutcomeUnknown(Refusal):
    """The write may be repeated: it says what the end is to be."""

    status = 503
    code = "outcome_unknown"
    for_customer = _m(
        "We could not find out whether this was saved. Look again in a few minutes; saving it once more does no harm."
    )
    retry = True
    retry_after = 60


class EmailCodeExpired(Refusal):
    code = "email_code_expired"
    for_customer = _m("This code is no longer valid. Have a new one sent to you.")


class EmailChangeRunning(Refusal):
    code = "email_change_running"
    for_customer = _m("Your e-mail address is just being changed. We will send you a mail as soon as it is done.")
