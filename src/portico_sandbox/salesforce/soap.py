"""The partner SOAP endpoint, as far as clients need it to begin and end a session: `login` and `logout`."""

from __future__ import annotations

from dataclasses import dataclass
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from portico_sandbox.salesforce import sessions
from portico_sandbox.salesforce.knobs import knob
from portico_sandbox.salesforce.objects import ORGANIZATION, USER
from portico_sandbox.salesforce.rest import Answer
from portico_sandbox.sandbox import Sandbox

_HEAD = {"Content-Type": "text/xml; charset=utf-8"}
_ENVELOPE = (
    '<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope '
    'xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns="urn:partner.soap.sforce.com" '
    'xmlns:sf="urn:fault.partner.soap.sforce.com" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
    "<soapenv:Body>{}</soapenv:Body></soapenv:Envelope>"
)


@dataclass(frozen=True)
class SoapCall:
    sandbox: Sandbox
    version: str
    """`59.0`"""
    body: bytes
    origin: str


def answer(call: SoapCall) -> Answer:
    """What the endpoint says to an envelope; faults travel with status 500."""
    try:
        root = ElementTree.fromstring(call.body)  # noqa: S314 - a stand-in for tests, read by tests
    except ElementTree.ParseError as error:
        return fault("soapenv:Client", f"{error}")
    operation = next((each for each in root.iter() if _local(each) in ("login", "logout")), None)
    if operation is None:
        return fault("UNKNOWN_EXCEPTION", "No such operation on this endpoint")
    return _login(call, operation) if _local(operation) == "login" else _logout(call, root)


def fault(code: str, message: str) -> Answer:
    inner = (
        f"<soapenv:Fault><faultcode>sf:{escape(code)}</faultcode>"
        f"<faultstring>{escape(code)}: {escape(message)}</faultstring>"
        f'<detail><sf:LoginFault xsi:type="sf:LoginFault"><sf:exceptionCode>{escape(code)}</sf:exceptionCode>'
        f"<sf:exceptionMessage>{escape(message)}</sf:exceptionMessage></sf:LoginFault></detail></soapenv:Fault>"
    )
    return Answer(500, _ENVELOPE.format(inner).encode(), _HEAD)


def _login(call: SoapCall, operation: ElementTree.Element) -> Answer:
    """A security token may follow the password at once, as clients send it."""
    number, _, _ = call.version.partition(".")
    if not number.isdigit() or int(number) > int(knob(call.sandbox, "soap_login_newest")):
        return fault("UNSUPPORTED_API_VERSION", "SOAP API login() is not available in this version of the API")
    settings = call.sandbox.settings
    given = {_local(each): each.text or "" for each in operation}
    right = given.get("username") == settings.salesforce_username
    if not (right and given.get("password", "").startswith(settings.salesforce_password)):
        return fault("INVALID_LOGIN", "Invalid username, password, security token; or user locked out.")
    return _answered("loginResponse", _login_result(call))


def _login_result(call: SoapCall) -> str:
    session = sessions.open_session(call.sandbox, sessions.INTEGRATION_USER_ID)
    organization = session.organization_id[:15]
    values = {
        "metadataServerUrl": f"{call.origin}/services/Soap/m/{call.version}/{organization}",
        "passwordExpired": "false",
        "sandbox": "false",
        "serverUrl": f"{call.origin}/services/Soap/u/{call.version}/{organization}",
        "sessionId": session.token,
        "userId": session.user_id,
    }
    return f"<result>{_elements(values)}<userInfo>{_elements(_user_info(call, session))}</userInfo></result>"


def _user_info(call: SoapCall, session: sessions.Session) -> dict[str, str]:
    store = call.sandbox.store
    user = store.get(USER.table, session.user_id) or {}
    organization = store.get(ORGANIZATION.table, session.organization_id) or {}
    # In the order of the vendor's description: the official sample finds the organization by its place.
    return {
        "accessibilityMode": "false",
        "chatterExternal": "false",
        "currencySymbol": "¥",
        "orgAttachmentFileSizeLimit": "26214400",
        "orgDefaultCurrencyIsoCode": "JPY",
        "orgDefaultCurrencyLocale": "ja_JP",
        "orgDisallowHtmlAttachments": "false",
        "orgHasPersonAccounts": "false",
        "organizationId": session.organization_id,
        "organizationName": organization.get("Name") or "",
        "sessionSecondsValid": str(int(float(knob(call.sandbox, "session_hours")) * 3600)),
        "userEmail": user.get("Email") or "",
        "userFullName": " ".join(filter(None, (user.get("FirstName"), user.get("LastName")))),
        "userId": session.user_id,
        "userName": user.get("Username") or "",
        "userTimeZone": user.get("TimeZoneSidKey") or "",
        "userType": "Standard",
    }


def _logout(call: SoapCall, root: ElementTree.Element) -> Answer:
    session_id = next((each.text for each in root.iter() if _local(each) == "sessionId"), None)
    session = sessions.session_of(call.sandbox, session_id)
    if session is None:
        return fault("INVALID_SESSION_ID", "Invalid Session ID found in SessionHeader: Illegal Session")
    sessions.close_session(call.sandbox, session.token)
    return _answered("logoutResponse", "")


def _answered(name: str, inner: str) -> Answer:
    return Answer(200, _ENVELOPE.format(f"<{name}>{inner}</{name}>").encode(), _HEAD)


def _elements(values: dict[str, str]) -> str:
    return "".join(f"<{name}>{escape(value)}</{name}>" for name, value in values.items())


def _local(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]
