#!/bin/sh
# Build the virtual environment in .venv from requirements.lock: all that a report needs.
# `set_up.sh test`, `cluster` and `lab` add what these need, from a lock of their own.
# Needs a Python from 3.11 to 3.14 with venv; uses uv where it is on the PATH, else pip.
set -eu
CDPATH='' cd -- "$(dirname -- "$0")/.."  # wherever it is called from, it is this folder's .venv

say() { printf '%s\n' "$1" >&2; }
fits() {
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 15))' 2>/dev/null
}
advice="install one, or name it: make PYTHON=/path/to/python3.12"

make_venv() {
    if [ -n "${PYTHON:-}" ]; then
        fits "$PYTHON" || { say "basket: PYTHON=$PYTHON is no Python from 3.11 to 3.14; $advice"; exit 1; }
    else
        for name in python3.13 python3.12 python3.11 python3.14 python3 python; do
            if fits "$name"; then PYTHON=$name; break; fi
        done
    fi
    if [ -e .venv/pyvenv.cfg ] && [ ! -e .venv/installed.lock ] && [ ! -e .venv/of_basket ]; then
        say "basket: .venv is there and was not made here; move it away, then try again"
        exit 1
    fi
    rm -rf .venv
    if [ -z "${PYTHON:-}" ]; then
        if command -v uv >/dev/null 2>&1 && uv venv --quiet --seed --python 3.13 .venv; then return; fi
        rm -rf .venv
        say "basket: no Python from 3.11 to 3.14 found on the PATH; $advice"
        exit 1
    fi
    if ! "$PYTHON" -m venv .venv >/dev/null 2>&1; then
        rm -rf .venv
        say "basket: $PYTHON cannot make a virtual environment; install its venv module (Debian: python3-venv), or name another Python: make PYTHON=/path/to/python3.12"
        exit 1
    fi
}

version() { "$1" -c 'import sys; print(sys.version)' 2>/dev/null; }

# A lock names all packages: --no-deps. It takes a minute: say every ten seconds how far it is.
install() {
    if command -v uv >/dev/null 2>&1; then
        uv pip install --quiet --compile-bytecode --python .venv/bin/python --no-deps --require-hashes "$@"
        return
    fi
    .venv/bin/python -m pip install --disable-pip-version-check --no-compile --no-deps --require-hashes "$@" \
        >.venv/pip.log 2>&1 &
    pip=$!
    while kill -0 "$pip" 2>/dev/null; do
        sleep 1
        seconds=$((${seconds:-0} + 1))
        if [ $((seconds % 10)) = 0 ]; then
            found=$(grep -cE '^(Collecting|Processing) ' .venv/pip.log || true)
            doing=found
            if grep -q '^Installing' .venv/pip.log; then doing="found, being installed"; fi
            say "  $seconds s: $found packages $doing"
        fi
    done
    wait "$pip" || { tail -n 5 .venv/pip.log >&2; say "basket: pip failed; all that it said: .venv/pip.log"; exit 1; }
    # pip compiles on one core, and the packages' own tests too.
    for packages in .venv/lib/python*/site-packages; do
        .venv/bin/python -m compileall -q -j 0 -x '/tests/' "$packages" >/dev/null 2>&1 || true
    done
}

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
done_with=${1:+-$1}
if [ "$waited" -gt 0 ] && cmp -s "requirements$done_with.lock" ".venv/installed$done_with.lock"; then
    exit 0
fi
if [ $# -gt 0 ]; then
    say "adding to .venv what $1 needs (once)"
    install -r "requirements-$1.lock"
    cp "requirements-$1.lock" ".venv/installed-$1.lock"
    exit 0
fi
if [ -n "${PYTHON:-}" ] && cmp -s requirements.lock .venv/installed.lock &&
    [ "$(version "$PYTHON")" = "$(version .venv/bin/python)" ]; then
    exit 0
fi
make_venv
: >.venv/of_basket
say "setting up .venv with $(.venv/bin/python --version) (once)"
install -r requirements.lock
# Code is found from .venv, not by a path that a copied or renamed folder would keep.
for packages in .venv/lib/python*/site-packages; do
    if [ -d "$packages" ]; then printf '../../../../03_scripts\n' >"$packages/basket.pth"; fi
done
cat >.venv/bin/basket <<'COMMAND'
#!/bin/sh
here=$(cd "$(dirname "$0")/../.." && pwd)
PYTHONPATH="$here/03_scripts${PYTHONPATH:+:$PYTHONPATH}" exec "$here/.venv/bin/python" -m basket "$@"
COMMAND
chmod +x .venv/bin/basket
cp requirements.lock .venv/installed.lock
