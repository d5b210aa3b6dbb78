#!/bin/sh
# Build the virtual environment in .venv from requirements.lock and install the package into it.
# Needs a Python from 3.11 to 3.13 with venv; uses uv where it is on the PATH, else pip.
set -eu
CDPATH='' cd -- "$(dirname -- "$0")/.."  # wherever it is called from, it is this folder's .venv

say() { printf '%s\n' "$1" >&2; }

find_python() {
    for name in ${PYTHON:-} python3.13 python3.12 python3.11 python3 python; do
        if "$name" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' \
            2>/dev/null; then
            printf '%s' "$name"
            return
        fi
    done
    say "basket: no Python from 3.11 to 3.13 found on the PATH; install one, or name it: make PYTHON=/path/to/python3.12"
    exit 1
}

python=$(find_python)
waited=0
while ! mkdir .venv.lock 2>/dev/null; do  # one installation at a time
    if [ "$waited" -eq 0 ]; then
        say "another installation is at work in this folder; waiting for it (if there is none, remove .venv.lock)"
    elif [ "$waited" -ge 600 ]; then
        say "basket: another installation is still at work; if there is none, remove .venv.lock"
        exit 1
    fi
    waited=$((waited + 1))
    sleep 1
done
trap 'rmdir .venv.lock' EXIT
trap 'exit 130' HUP INT TERM
if [ "$waited" -gt 0 ] && cmp -s requirements.lock .venv/installed.lock; then
    exit 0
fi
rm -rf .venv
if ! "$python" -m venv .venv >/dev/null 2>&1; then
    say "basket: $python cannot make a virtual environment; install its venv module (Debian: python3-venv), or name another Python: make PYTHON=/path/to/python3.12"
    rm -rf .venv
    exit 1
fi
say "setting up .venv with $("$python" --version) (once)"
if command -v uv >/dev/null 2>&1; then
    uv pip install --quiet --compile-bytecode --python .venv/bin/python --require-hashes -r requirements.lock
    uv pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation --editable .
else
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
fi
cp requirements.lock .venv/installed.lock
