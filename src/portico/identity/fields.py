"""What people type at sign-up, made uniform: full-width digits, all kinds of hyphens and spaces are welcome."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import asdict, dataclass, field, replace

from portico.errors import FieldFault, InputWrong
from portico.i18n import Message, _m
from portico.identity.passwords import password_fault
from portico.systems.salesforce.accounts import Account

EMAIL = re.compile(r"[a-z0-9.!#$%&'*+/=?^_`{|}~-]+@(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z0-9-]{2,}")
PHONE = re.compile(r"0[0-9]{9,10}")
POSTAL_CODE = re.compile(r"[0-9]{7}")
CUSTOMER_NUMBER = re.compile(r"[A-Z0-9][A-Z0-9._-]{0,39}")
_HYPHENS = re.compile("[\u2010-\u2015\u2212\u30fc\u2500\u2501\ufe58\ufe63\uff0d\uff70~\u301c-]")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f\u200b-\u200f\u2028-\u202e\ufeff]")

EMAIL_WRONG = _m("Enter a whole e-mail address, like name@example.com.")
NUMBER_MISSING = _m(
    "Enter your customer number. You find it on your contract letter; contact support if you have none."
)
PASSWORD_MISSING = _m("Choose a password.")
FIRST_NAME_MISSING = _m("Enter your first name.")
LAST_NAME_MISSING = _m("Enter your last name.")
PHONE_WRONG = _m("Enter a phone number with 10 or 11 digits, like 090-1234-5678.")
POSTAL_CODE_WRONG = _m("Enter a postal code with 7 digits, like 100-0001.")
STATE_MISSING = _m("Enter your prefecture.")
CITY_MISSING = _m("Enter your city or ward.")
STREET_MISSING = _m("Enter your street address.")
TOO_LONG = _m("Please use at most %(most)d characters.")

PERSONAL: tuple[tuple[str, Message], ...] = (
    ("first_name", FIRST_NAME_MISSING),
    ("last_name", LAST_NAME_MISSING),
    ("phone", PHONE_WRONG),
    ("postal_code", POSTAL_CODE_WRONG),
    ("state", STATE_MISSING),
    ("city", CITY_MISSING),
    ("street", STREET_MISSING),
)
"""What a billing account needs, and what to say where it is missing."""
_IN_ADDRESS = ("postal_code", "state", "city", "street", "street2")
_LONGEST = {"email": 200, "phone": 30, "customer_number": 40, "city": 40, "state": 80}


@dataclass(frozen=True)
class Application:
    """A sign-up as typed, then (see `checked`) made uniform. "" = not given."""

    email: str
    password: str = field(repr=False)
    customer_number: str
    first_name: str = ""
    last_name: str = ""
    phone: str = ""
    postal_code: str = ""
    state: str = ""
    city: str = ""
    street: str = ""
    street2: str = ""


def checked(typed: Application, *, least_password: int, personal_required: bool) -> Application:
    """The application made uniform. Raises InputWrong naming every wrong field."""
    uniform = _uniform(typed)
    faults = _faults_of_account(uniform, least_password) + _faults_of_person(uniform, personal_required)
    if faults:
        raise InputWrong(*faults)
    return uniform


def completed(application: Application, account: Account) -> Application:
    """With what was left out taken from the Salesforce account. Raises InputWrong for what that lacks as well."""
    names = ["first_name", "last_name", "phone", "postal_code"]
    if not (application.state or application.city or application.street):
        names += ["state", "city", "street"]  # half of theirs and half of ours would be nobody's address
    left_out = {name: getattr(account, name) or "" for name in names if not getattr(application, name)}
    whole = _uniform(replace(application, **left_out))
    missing = [FieldFault(pointer(name), words) for name, words in PERSONAL if not getattr(whole, name)]
    if missing:
        raise InputWrong(*missing)
    return whole


def pointer(name: str) -> str:
    """The JSON pointer of a field; the page's field names are the same with dots."""
    return f"/address/{name}" if name in _IN_ADDRESS else f"/{name}"


def normal_email(value: str) -> str:
    return _UNPRINTABLE.sub("", unicodedata.normalize("NFKC", value)).strip().lower()


def normal_number(value: str) -> str:
    """`ｃｎ－１００１０１ ` → `CN-100101`."""
    return re.sub(r"\s", "", _HYPHENS.sub("-", unicodedata.normalize("NFKC", value))).upper()


def normal_phone(value: str) -> str:
    """`０９０（１２３４）５６７８` and `+81 90-1234-5678` → `09012345678`; what is no number stays as it is."""
    plain = re.sub(r"[\s()./]", "", _HYPHENS.sub("", unicodedata.normalize("NFKC", value)))
    return re.sub(r"^(\+81|0081)0?", "0", plain)


def normal_postal_code(value: str) -> str:
    """`〒１５０－００４１` → `150-0041`; what is no postal code stays as it is."""
    digits = re.sub(r"[\s〒]", "", _HYPHENS.sub("", unicodedata.normalize("NFKC", value)))
    return f"{digits[:3]}-{digits[3:]}" if POSTAL_CODE.fullmatch(digits) else digits


def normal_words(value: str) -> str:
    """Composed characters and single spaces, else untouched: names may hold compatibility ideographs."""
    return " ".join(_UNPRINTABLE.sub(" ", unicodedata.normalize("NFC", value)).split())


def display_name(first: str, last: str) -> str:
    """In the order of the script: `佐藤 陽菜`, `Emma Fischer`."""
    whole = f"{first} {last}" if (first + last).isascii() else f"{last} {first}"
    return whole.strip()


_WORDS = ("first_name", "last_name", "state", "city", "street", "street2")


def _uniform(typed: Application) -> Application:
    return replace(
        typed,
        email=normal_email(typed.email),
        customer_number=normal_number(typed.customer_number),
        phone=normal_phone(typed.phone),
        postal_code=normal_postal_code(typed.postal_code),
        **{name: normal_words(getattr(typed, name)) for name in _WORDS},
    )


def _faults_of_account(application: Application, least: int) -> list[FieldFault]:
    faults = []
    if not EMAIL.fullmatch(application.email) or len(application.email) > _LONGEST["email"]:
        faults.append(FieldFault("/email", EMAIL_WRONG))
    own_words = (application.email, application.email.partition("@")[0], application.first_name, application.last_name)
    names = (*own_words, application.first_name + application.last_name, application.last_name + application.first_name)
    wrong = password_fault(application.password, least, names) if application.password else PASSWORD_MISSING
    if wrong:
        faults.append(FieldFault("/password", wrong))
    if not application.customer_number:
        faults.append(FieldFault("/customer_number", NUMBER_MISSING))
    return faults


def _faults_of_person(application: Application, required: bool) -> list[FieldFault]:
    faults = []
    for name, words in PERSONAL:
        value = getattr(application, name)
        if (required and not value) or (value and not _is_fit(name, value)):
            faults.append(FieldFault(pointer(name), words))
    for name, value in asdict(application).items():
        most = _LONGEST.get(name, 100)
        if name in _WORDS and len(value) > most:
            faults.append(FieldFault(pointer(name), TOO_LONG(most=most)))
    return faults


def _is_fit(name: str, value: str) -> bool:
    if name == "phone":
        return PHONE.fullmatch(value) is not None
    if name == "postal_code":
        return POSTAL_CODE.fullmatch(value.replace("-", "")) is not None
    return True
