# Sourced by ./run and ./test: a Python that is new enough, and .venv with what a requirements file names.
# The caller sets "me" (its name) and stands in the project's folder. bash.

say() { printf '%s: %s\n' "$me" "$*" >&2; }
fail() { say "$@"; exit 1; }

python=

is_new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

# Sets "python" to the first interpreter of 3.11 or newer; false if there is none.
find_python() {
    local name
    for name in python3 python3.14 python3.13 python3.12 python3.11 python; do
        if is_new_enough "$name"; then
            python=$(command -v "$name")
            return 0
        fi
    done
    return 1
}

# Debian and Ubuntu have the modules in packages of their own.
can_make_venv() {
    "$python" -c 'import ensurepip, venv' >/dev/null 2>&1
}

# What to install for a Python that cannot make virtual environments.
venv_package() {
    if [ "$python" -ef "$(command -v python3)" ]; then
        echo python3-venv
    else
        "$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])'
    fi
}

need_python() {
    find_python || fail "Python 3.11 or newer is needed. Debian 12, Ubuntu 24.04 and newer:" \
        "sudo apt install python3 python3-venv (Ubuntu 22.04: sudo apt install python3.11 python3.11-venv)"
    can_make_venv || fail "$python cannot make virtual environments. Install the part that is missing:" \
        "sudo apt install $(venv_package)"
}

# prepare_venv FILE DIGESTED...: makes .venv if there is none that works and installs FILE if any of the files has
# changed since. Quiet when there is nothing to do. pip_options may have a word more for pip.
prepare_venv() {
    local file=$1 stamp digest
    if ! { is_new_enough .venv/bin/python && .venv/bin/python -c 'import pip' >/dev/null 2>&1; }; then
        need_python
        say "making a virtual environment in .venv with $python"
        "$python" -m venv --clear .venv || fail "that did not work; its reason stands above"
    fi
    stamp=.venv/installed-$file
    # The interpreter is part of it: what was installed for another one is of no use.
    digest=$({ .venv/bin/python -V; cat -- "$@"; } | sha256sum)
    if [ "$(cat "$stamp" 2>/dev/null)" = "$digest" ]; then
        return 0
    fi
    say "installing what $file names (only when it has changed; takes a minute or more)"
    if ! PIP_USER=0 PIP_REQUIRE_VIRTUALENV=0 .venv/bin/python -m pip install --quiet --no-input \
        --disable-pip-version-check ${pip_options:-} -r "$file"; then
        say "pip could not install $file; its reason stands above."
        say "Is this machine offline? On one that is not, with the same system and Python:"
        say "    pip download ${pip_options:+$pip_options }-r $file -d wheels"
        fail "then copy the folder here and give it: PIP_NO_INDEX=1 PIP_FIND_LINKS=wheels ./$me"
    fi
    printf '%s\n' "$digest" >"$stamp"
}
