"""The commands. Each imports only what it starts."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

from portico.settings import Settings, SettingsWrong, read_settings

Command = TypeVar("Command", bound=Callable[..., None])


@click.group()
def portico() -> None:
    """A self-hosted customer portal. Settings come from the environment: see docs/settings.md."""


@portico.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--workers", default=1, show_default=True, help="Processes; the port is shared.")
def web(host: str, workers: int) -> None:
    """Serves pages and API."""
    from portico.serving import serve

    serve(_settings(), host=host, workers=workers)


@portico.command()
def worker() -> None:
    """Runs jobs: fulfillment, mail, events, house-keeping. Any number of them, on any machine."""
    from portico.app import run_worker

    asyncio.run(run_worker(_settings()))


@portico.command()
def listen() -> None:
    """Receives change events from Salesforce. One leads; more of them stand by."""
    from portico.app import run_listener

    asyncio.run(run_listener(_settings()))


@portico.command()
def migrate() -> None:
    """Brings the database schema to this version."""
    from portico.db import migrate as migrate_database

    migrate_database(_settings().database.direct)


@portico.command(context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def sandbox(arguments: tuple[str, ...]) -> None:
    """The stand-ins of WHMCS, Salesforce and Freebit alone (SANDBOX_… variables)."""
    # A program of its own: portal and sandbox never import each other.
    os.execv(sys.executable, [sys.executable, "-m", "portico_sandbox", *arguments])  # noqa: S606


@portico.command()
@click.option("--port-base", default=8000, show_default=True, help="All ports are counted from here.")
@click.option("--reset", is_flag=True, help="Starts over: empty database, fresh world. Keys are kept.")
@click.option("--with-parent", is_flag=True, hidden=True, help="Ends when the parent process does.")
@click.option("--folder", default="var/demo", hidden=True, type=click.Path(path_type=Path))
def demo(port_base: int, reset: bool, with_parent: bool, folder: Path) -> None:
    """Everything on this machine, with stand-ins of the three systems."""
    from portico.demo.ports import Ports
    from portico.demo.supervisor import Options, run

    sys.exit(run(Options(Ports(port_base), folder.resolve(), reset, with_parent)))


@portico.command("settings-doc")
def settings_doc() -> None:
    """Prints docs/settings.md."""
    from portico.settings_text import page

    click.echo(page(), nl=False)


@portico.command("freshness-doc")
def freshness_doc() -> None:
    """Prints docs/freshness.md."""
    from portico.freshness import as_markdown

    click.echo(as_markdown(), nl=False)


def _settings() -> Settings:
    try:
        return read_settings()
    except SettingsWrong as wrong:
        click.echo(f"Settings are wrong:\n{wrong}", err=True)
        sys.exit(2)


def main() -> None:
    """The entry point of the installed command."""
    portico(prog_name="portico")


if __name__ == "__main__":
    main()
