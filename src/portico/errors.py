"""Every error that a customer or caller can meet.

PorticoError
├── Refusal                      the customer can mend it
│   ├── InputWrong               fields, each with what to fix
│   ├── CustomerNumberUnknown    sign-up: number (or its postal code) does not match
│   ├── AlreadyRegistered        sign-up: the number has a portal account
│   ├── EmailTaken               sign-up: the address has an account
│   ├── LinkRefused              linking: the password was right, but it can't go on
│   │   ├── SecondFactorElsewhere
│   │   ├── BillingAccountMissing
│   │   ├── BillingAccountClosed
│   │   ├── BillingAccountUnclear     several that could be meant
│   │   ├── CustomerNumberMissing
│   │   └── CustomerNumberUnmatched
│   ├── PasswordLinkWrong        used, too old, or never was
│   ├── TooManyTries             throttled
│   ├── TooManyStreams           live updates: too many open pages
│   ├── SignInWrong              address or password
│   ├── SignInNeeded             no session
│   ├── PaymentMethodMissing     checkout
│   ├── NotEligible              checkout: product not for this account
│   ├── CartChanged              checkout: the cart is no longer what was confirmed
│   ├── …                        profile and e-mail address: billing/refusals.py
│   ├── CaseClosed               support: a closed case takes no more messages
│   ├── IdempotencyKeyReused     the same key with another request
│   ├── IdempotencyKeyMissing
│   ├── CrossSiteRequest         CSRF
│   ├── RequestWrong             not readable as what it claims to be
│   ├── MethodWrong              the address does not take this method
│   ├── RequestTooLarge
│   └── MediaTypeWrong           the API takes JSON only
├── NotFound                     unknown, or somebody else's: the same to everyone
├── NotAllowed
├── StillRunning                 outcome of a remote write not known yet (202)
├── Busy                         our own overload: nothing was done
└── Trouble                      not the customer's fault
    ├── SystemDown               try later
    │   └── SetupWrong           our credentials, rights or address there are wrong: an operator must act
    ├── SystemRefused            their business "no", with their code
    └── SystemSurprised          an answer that we can't understand
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from portico.i18n import Message, _m


@dataclass(frozen=True)
class FieldFault:
    """One wrong input: JSON pointer of the field and a sentence that says what to fix."""

    pointer: str
    message: Message

    @property
    def field(self) -> str:
        return self.pointer.removeprefix("/").replace("/", ".")


class PorticoError(Exception):
    """Carries what the one handler (web.py) and whoever retries need to know."""

    status = 500
    code = "internal_error"
    """Stable, snake_case: callers and staff rely on it."""
    for_customer: Message = _m("Something went wrong on our side. Please try again in a few minutes.")
    retry = False
    """Whether the same call may succeed later without anybody changing anything."""
    retry_after: int | None = None

    def __init__(self, note: str = "", **facts: Any) -> None:
        """`note` and `facts` are for logs and staff, never for the customer."""
        super().__init__(note or self.code)
        self.note = note
        self.facts = facts


class Refusal(PorticoError):
    status = 409


class InputWrong(Refusal):
    status = 422
    code = "input_wrong"
    for_customer = _m("Please check the marked fields.")

    def __init__(self, *faults: FieldFault) -> None:
        super().__init__(", ".join(fault.pointer for fault in faults))
        self.faults = faults


class CustomerNumberUnknown(Refusal):
    status = 422
    code = "customer_number_unknown"
    for_customer = _m(
        "We could not find this customer number with this postal code."
        " Check both on your contract letter, or contact support."
    )


class AlreadyRegistered(Refusal):
    code = "already_registered"
    for_customer = _m("This customer number already has a portal account. Sign in instead, or contact support.")


class EmailTaken(Refusal):
    code = "email_taken"
    for_customer = _m("There is already an account with this e-mail address. Sign in, or use another address.")


class LinkRefused(Refusal):
    """Who asks has proved a WHMCS password; only support can mend what is missing there or in Salesforce."""

    code = "link_refused"
    for_customer = _m("We can not link this billing account. Please contact support.")


class SecondFactorElsewhere(LinkRefused):
    code = "second_factor_elsewhere"
    for_customer = _m(
        "This sign-in is protected by a second factor in the billing area, which we can not check here."
        " Contact support to have it linked, or sign up with your customer number."
    )


class BillingAccountMissing(LinkRefused):
    code = "billing_account_missing"
    for_customer = _m(
        "This sign-in owns no billing account. Use the sign-in of the account's owner, or contact support."
    )


class BillingAccountClosed(LinkRefused):
    code = "billing_account_closed"
    for_customer = _m("Your account is closed or not active, so it can not be linked. Please contact support.")


class BillingAccountUnclear(LinkRefused):
    code = "billing_account_unclear"
    for_customer = _m(
        "This sign-in owns several billing accounts, and we can not tell which one you mean. Please contact support."
    )


class CustomerNumberMissing(LinkRefused):
    code = "customer_number_missing"
    for_customer = _m(
        "Your billing account has no customer number yet, so we can not link it. Contact support to have it added."
    )


class CustomerNumberUnmatched(LinkRefused):
    code = "customer_number_unmatched"
    for_customer = _m(
        "We could not find the customer number of your billing account in our customer records."
        " Contact support to have it corrected."
    )


class PasswordLinkWrong(Refusal):
    status = 410
    code = "password_link_wrong"
    for_customer = _m("This link was used already or is too old. Ask for a new one.")


class TooManyTries(Refusal):
    status = 429
    code = "too_many_tries"
    for_customer = _m("Too many tries. Please wait an hour, or contact support.")
    retry_after = 3600


class TooManyStreams(Refusal):
    status = 429
    code = "too_many_streams"
    for_customer = _m("Too many pages of yours wait for news. Close one, or reload this one from time to time.")
    retry_after = 30


class SignInWrong(Refusal):
    status = 401
    code = "sign_in_wrong"
    for_customer = _m("E-mail address or password is not right. Check both and try again.")


class SignInNeeded(Refusal):
    status = 401
    code = "sign_in_needed"
    for_customer = _m("Please sign in to go on.")


class PaymentMethodMissing(Refusal):
    code = "payment_method_missing"
    for_customer = _m("You have no valid payment method yet. Add a card, then come back to finish your order.")


class NotEligible(Refusal):
    code = "not_eligible"
    for_customer = _m("This product is not available for your account. Remove it from the cart to go on.")


class CartChanged(Refusal):
    code = "cart_changed"
    for_customer = _m("Your cart or a price has changed since you saw it. Check it and place the order again.")


class CaseClosed(Refusal):
    code = "case_closed"
    for_customer = _m("This case is closed and takes no more messages. Open a new case instead; name this one in it.")


class IdempotencyKeyReused(Refusal):
    status = 422
    code = "idempotency_key_reused"
    for_customer = _m("This Idempotency-Key was used for another request. Send a new key.")


class IdempotencyKeyMissing(Refusal):
    status = 400
    code = "idempotency_key_missing"
    for_customer = _m("Send an Idempotency-Key header, so that a repeated call does nothing twice.")


class CrossSiteRequest(Refusal):
    status = 403
    code = "cross_site_request"
    for_customer = _m("This request did not come from our own pages. Open the page again and retry.")


class RequestWrong(Refusal):
    status = 400
    code = "request_wrong"
    for_customer = _m("We could not read this request. Go back, reload the page and try again.")


class MethodWrong(Refusal):
    status = 405
    code = "method_wrong"
    for_customer = _m("This address can not be used that way. Go back and use the links and buttons of the page.")


class RequestTooLarge(Refusal):
    status = 413
    code = "request_too_large"
    for_customer = _m("This is more than we can take at once. Make it shorter, or send a smaller file.")


class MediaTypeWrong(Refusal):
    status = 415
    code = "media_type_wrong"
    for_customer = _m("Send the body of this request as application/json.")


class SingleSignOnOff(Refusal):
    code = "single_sign_on_off"
    for_customer = _m("Opening the billing area from here is switched off for your account. Please contact support.")


class HookRefused(Refusal):
    status = 400
    code = "hook_refused"
    for_customer = _m("The body of this hook is not what was agreed.")


class HookSignatureWrong(HookRefused):
    status = 401
    code = "hook_signature_wrong"
    for_customer = _m("The signature of this hook is missing, wrong or too old.")


class HookTooLarge(HookRefused):
    status = 413
    code = "hook_too_large"
    for_customer = _m("This hook is too large.")


class NotFound(PorticoError):
    status = 404
    code = "not_found"
    for_customer = _m("We could not find this page. It may have moved, or the address is not right.")


class NotAllowed(PorticoError):
    status = 403
    code = "not_allowed"
    for_customer = _m("You are not allowed to do this.")


class StillRunning(PorticoError):
    """The outcome of a remote write is not known yet; `operation_id` leads to it."""

    status = 202
    code = "still_running"
    for_customer = _m("We are finishing this. Please do not repeat it; we will send you a mail as soon as it is done.")

    def __init__(self, operation_id: str) -> None:
        super().__init__(operation_id)
        self.operation_id = operation_id


class Busy(PorticoError):
    """More at once than this process may take on (password hashing); nothing was done."""

    status = 503
    code = "busy"
    for_customer = _m("A lot is going on here just now. Please try again in a few seconds.")
    retry = True
    retry_after = 5


class Trouble(PorticoError):
    """`system` is one of whmcs, salesforce, freebit, pubsub, mail."""

    status = 503
    code = "system_trouble"
    for_customer = _m("This part is not available just now. Please try again in a few minutes.")
    retry_after = 60

    def __init__(self, system: str, note: str = "", **facts: Any) -> None:
        super().__init__(f"{system}: {note}", **facts)
        self.system = system


class SystemDown(Trouble):
    """Could not be reached, did not answer in time, or says itself that it can't. Try later.

    `sent` False means: certainly nothing reached the system, so that a write may be repeated.
    """

    code = "try_again_later"
    retry = True

    def __init__(self, system: str, note: str = "", *, sent: bool = True, **facts: Any) -> None:
        super().__init__(system, note, **facts)
        self.sent = sent


class SetupWrong(SystemDown):
    """The system knows us no longer, or never did: credentials, IP address, rights or address. Nothing was done there.

    To the customer it reads like any outage; it is logged for operators where it is raised.
    """

    def __init__(self, system: str, note: str = "", **facts: Any) -> None:
        super().__init__(system, note, sent=False, **facts)


class SystemRefused(Trouble):
    """Their business "no", definite. `vendor_code` and `vendor_message` are theirs, for staff only."""

    status = 502
    code = "system_refused"

    def __init__(self, system: str, vendor_code: str, vendor_message: str = "", **facts: Any) -> None:
        super().__init__(system, f"{vendor_code} {vendor_message}".strip(), **facts)
        self.vendor_code = vendor_code
        self.vendor_message = vendor_message


class SystemSurprised(Trouble):
    """An answer that we can't understand: kept (shortened) for diagnosis, never cached, never shown."""

    status = 502
    code = "system_surprised"

    def __init__(self, system: str, note: str = "", *, body: bytes = b"", **facts: Any) -> None:
        super().__init__(system, note, **facts)
        self.body = body[:2000]
