"""Makes .venv and fills it from a hashed lock. Runs on the machine's own Python, before anything is installed.

Usage: python3 .ci/set_up.py demo|dev
"""

from __future__ import print_function

import os
import re
import shutil
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(HERE, ".venv")
PYTHON = os.path.join(VENV, "bin", "python")
LOCKS = {"demo": "requirements.lock", "dev": "requirements-dev.lock"}
UV_LOCK = os.path.join(VENV, "uv.lock")
NO_PIP = (
    "This Python has neither ensurepip nor pip, so that nothing can be installed.\n"
    "On Debian or Ubuntu: apt-get install python3-venv   (or python3-pip)"
)


def main(kind):
    """Exits 2 with a sentence where the machine lacks something; raises CalledProcessError where a download fails."""
    if not (3, 11) <= sys.version_info[:2] <= (3, 13):
        sys.exit(
            "Portico wants Python 3.11, 3.12 or 3.13; this is %d.%d (%s).\n"
            "Name another one: make %s PYTHON=/path/to/python3.12"
            % (sys.version_info[0], sys.version_info[1], sys.executable, "demo" if kind == "demo" else "test")
        )
    started = time.time()
    if not works(PYTHON):
        make_venv()
    point_at_source()
    if kind == "dev" or not newer(stamp("dev"), os.path.join(HERE, LOCKS["dev"])):
        install(kind)
    for done in ["dev", "demo"] if kind == "dev" else ["demo"]:  # the dev set holds the demo's
        with open(stamp(done), "w"):
            pass
    say("ready after %.0f s" % (time.time() - started))


def stamp(kind):
    return os.path.join(VENV, "." + kind)


def newer(one, other):
    return os.path.exists(one) and os.path.getmtime(one) >= os.path.getmtime(other)


def works(python):
    return os.path.exists(python) and subprocess.call([python, "-c", "import sys"], stderr=subprocess.DEVNULL) == 0


def make_venv():
    say("making .venv with Python %d.%d.%d" % sys.version_info[:3])
    shutil.rmtree(VENV, ignore_errors=True)
    command = [sys.executable, "-m", "venv", VENV]
    made = subprocess.call(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) == 0
    if made and has_pip(PYTHON):
        return
    # Debian takes ensurepip out of Python; its own pip can install into a venv without one.
    shutil.rmtree(VENV, ignore_errors=True)
    if not has_pip(sys.executable):
        sys.exit(NO_PIP)
    subprocess.check_call([*command, "--without-pip"])


def has_pip(python):
    return subprocess.call([python, "-m", "pip", "--version"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) == 0


def point_at_source():
    """Our own package needs no installing: a relative path file holds when the checkout is moved."""
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = subprocess.check_output([PYTHON, "-c", code]).decode().strip()
    with open(os.path.join(packages, "portico.pth"), "w") as file:
        file.write(os.path.relpath(os.path.join(HERE, "src"), os.path.realpath(packages)) + "\n")


def install(kind):
    """With uv (2 s) where its wheel can be had, else with pip (30 s). Both check every hash."""
    lock = os.path.join(HERE, LOCKS[kind])
    say("installing %s" % LOCKS[kind])
    if install_uv():
        # `sync` also removes what the lock does not name, uv itself included: only the dev lock names it.
        verb = ["sync"] if kind == "dev" else ["install", "-r"]
        uv = [PYTHON, "-m", "uv", "pip", verb[0], "--quiet", "--require-hashes", "--python", PYTHON]
        if subprocess.call([*uv, *verb[1:], lock]) == 0:
            return
    say("going on with pip, which takes a while longer")
    subprocess.check_call([*pip(), "install", "--quiet", "--require-hashes", "-r", lock])


def install_uv():
    with open(os.path.join(HERE, LOCKS["dev"])) as file:
        block = re.search(r"^uv==.*?(?=^\S|\Z)", file.read(), re.MULTILINE | re.DOTALL)
    with open(UV_LOCK, "w") as file:
        file.write(block.group(0))
    return subprocess.call([*pip(), "install", "--quiet", "--require-hashes", "-r", UV_LOCK]) == 0


def pip():
    if has_pip(PYTHON):
        return [PYTHON, "-m", "pip", "--disable-pip-version-check"]
    return [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", PYTHON]


def say(text):
    print("set-up: " + text)
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1])
