"""What the sandbox needs to know, read from `SANDBOX_…` variables."""

from __future__ import annotations

from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Ports follow the demo contract: everything is an offset from `port_base`."""

    model_config = SettingsConfigDict(env_prefix="SANDBOX_")

    port_base: int = 8000
    folder: Path = Path("var/demo/sandbox")
    """Holds the SQLite file, the TLS certificate authority and the Salesforce key; made where missing."""

    portal_url: str = "http://localhost:8000"
    portal_database_url: str = ""
    """Where the control panel writes the shared clock offset (table `clock_offset`, one row); empty = nowhere."""

    whmcs_identifier: str = "portico-demo"
    whmcs_secret: str = "whmcs-demo-secret"
    whmcs_hook_secret: str = "whsec_cG9ydGljby1kZW1vLXdobWNzLWhvb2stc2VjcmV0IQ=="
    salesforce_client_id: str = "3MVG9-portico-demo"
    salesforce_client_secret: str = "salesforce-demo-secret"
    """Of the client credentials flow."""
    salesforce_username: str = "portico@demo.example"
    salesforce_password: str = "salesforce-demo-password"
    """Of the SOAP login, which only clients other than the portal use."""
    freebit_oem_id: str = "PORTICO"
    freebit_oem_key: str = "freebit-demo-key"
    freebit_master_account: str = "portico-master"
    """Every line of this partner hangs on it."""
    freebit_auth_ttl_seconds: float = 3000
    freebit_activation_seconds: float = 4.0
    """From acceptance of an eSIM activation to `active`."""

    @property
    def control_port(self) -> int:
        return self.port_base + 100

    @property
    def salesforce_port(self) -> int:
        return self.port_base + 101

    @property
    def pubsub_port(self) -> int:
        return self.port_base + 102

    @property
    def whmcs_port(self) -> int:
        return self.port_base + 103

    @property
    def freebit_port(self) -> int:
        return self.port_base + 104

    @property
    def smtp_port(self) -> int:
        return self.port_base + 105

    @property
    def salesforce_tls_port(self) -> int:
        return self.port_base + 111

    @property
    def pubsub_tls_port(self) -> int:
        return self.port_base + 112
