"""Makes .venv and fills it from a hashed lock. Runs on the machine's own Python, before anything is installed.

Usage: python3 .ci/set_up.py demo|dev
"""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
VENV = HERE / ".venv"
PYTHON = VENV / "bin" / "python"
LOCKS = {"demo": HERE / "requirements.lock", "dev": HERE / "requirements-dev.lock"}
WRONG_PYTHON = (
    "Portico wants Python 3.11, 3.12 or 3.13; {path} is {version}.\n"
    "Name another one: make {target} PYTHON=/path/to/python3.12"
)
NO_PIP = (
    "This Python has neither ensurepip nor pip, so that nothing can be installed.\n"
    "On Debian or Ubuntu: apt-get install python3-venv   (or python3-pip)"
)
NO_PACKAGES = "The packages could not be installed: see above. Is there a way to the package index from here?"


def main(kind):
    """Exits with a sentence where the machine lacks something."""
    version = ".".join(map(str, sys.version_info[:3]))
    if not (3, 11) <= sys.version_info[:2] <= (3, 13):
        target = "demo" if kind == "demo" else "test"
        sys.exit(WRONG_PYTHON.format(path=sys.executable, version=version, target=target))
    started = time.monotonic()
    if not succeeds(PYTHON, "-c", "import sys"):
        say(f"making .venv with Python {version}")
        make_venv()
    point_at_source()
    if kind == "dev" or not is_newer(stamp("dev"), LOCKS["dev"]):
        install(kind)
    for done in ["dev", "demo"] if kind == "dev" else ["demo"]:  # the dev set holds the demo's
        stamp(done).touch()
    say(f"ready after {time.monotonic() - started:.0f} s")


def make_venv():
    shutil.rmtree(VENV, ignore_errors=True)
    if succeeds(sys.executable, "-m", "venv", VENV) and has_pip(PYTHON):
        return
    # Debian takes ensurepip out of Python; its own pip can install into a venv without one.
    shutil.rmtree(VENV, ignore_errors=True)
    if not has_pip(sys.executable):
        sys.exit(NO_PIP)
    run(sys.executable, "-m", "venv", VENV, "--without-pip")


def point_at_source():
    """Our own package needs no installing: a relative path file holds when the checkout is moved."""
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    asked = subprocess.run([PYTHON, "-c", code], stdout=subprocess.PIPE, check=True)  # noqa: S603
    packages = Path(asked.stdout.decode().strip()).resolve()
    (packages / "portico.pth").write_text(os.path.relpath(HERE / "src", packages) + "\n")


def install(kind):
    """With uv (2 s) where its wheel can be had, else with pip (30 s). Both check every hash."""
    say(f"installing {LOCKS[kind].name}")
    # `sync` also removes what the lock does not name, uv itself included: only the dev lock names it.
    verb = ["sync"] if kind == "dev" else ["install", "-r"]
    by_uv = [PYTHON, "-m", "uv", "pip", verb[0], "--quiet", "--require-hashes", "--python", PYTHON, *verb[1:]]
    if install_uv() and run(*by_uv, LOCKS[kind]):
        return
    say("going on with pip, which takes a while longer")
    if not run(*pip(), "install", "--quiet", "--require-hashes", "-r", LOCKS[kind]):
        sys.exit(NO_PACKAGES)


def install_uv():
    block = re.search(r"^uv==.*?(?=^\S|\Z)", LOCKS["dev"].read_text(), re.MULTILINE | re.DOTALL)
    only_uv = VENV / "uv.lock"
    only_uv.write_text(block.group(0))
    return run(*pip(), "install", "--quiet", "--require-hashes", "-r", only_uv)


def pip():
    if has_pip(PYTHON):
        return [PYTHON, "-m", "pip", "--disable-pip-version-check"]
    return [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", PYTHON]


def has_pip(python):
    return succeeds(python, "-m", "pip", "--version")


def succeeds(*command):
    """Runs it without a word; a missing program is a failure too."""
    try:
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        return subprocess.run([str(part) for part in command], check=False, **quiet).returncode == 0  # noqa: S603
    except OSError:
        return False


def run(*command):
    return subprocess.run([str(part) for part in command], check=False).returncode == 0  # noqa: S603


def stamp(kind):
    return VENV / f".{kind}"


def is_newer(one, other):
    return one.exists() and one.stat().st_mtime >= other.stat().st_mtime


def say(text):
    print(f"set-up: {text}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
