# Sourced by the scripts beside it: find a Python, and make a virtual environment that is kept until what it was made
# from changes. pip is used as it is configured on this machine (index, proxy, wheels); nothing else goes out.

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
environments=$repository/.venvs
supported="3.13 3.12 3.11 3.10"

say() {
    printf '%s: %s\n' "$(basename "$0")" "$*" >&2
}

# find_python 3.12: the path of a Python of just that version that can make virtual environments; fails without one.
# A name on PATH proves nothing: pyenv's shims stand there for versions that are not active, and do not run.
find_python() {
    local candidate
    for candidate in "python$1" "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$1".*/bin/python3 python3 python; do
        if "$candidate" -c "
import sys, ensurepip, venv
sys.exit('%d.%d' % sys.version_info[:2] != '$1')" >/dev/null 2>&1; then
            command -v "$candidate"
            return
        fi
    done
    return 1
}

# newest_python: the newest supported version found, as 3.13
newest_python() {
    local version
    for version in $supported; do
        if find_python "$version" >/dev/null; then
            echo "$version"
            return
        fi
    done
    say "no Python of $supported (with venv and ensurepip) was found; install one"
    return 1
}

# make_environment NAME VERSION PIP-ARGUMENT...: .venvs/NAME with a Python of VERSION, or the newest for "newest", and
# what pip is asked to install. Sets $python. While pyproject.toml and the arguments stay, nothing is installed, and no
# network is needed.
make_environment() {
    local name=$1 version=$2 base stamp
    stamp=$(printf '%s\n' "$repository" "$@"; cat "$repository/pyproject.toml" "$repository"/examples/*/pyproject.toml)
    shift 2
    python=$environments/$name/bin/python
    # It is there but does not run when the Python that it was made with is gone.
    if [ "$(cat "$environments/$name/made-from" 2>/dev/null)" = "$stamp" ] && "$python" -c "" 2>/dev/null; then
        return
    fi
    [ "$version" != newest ] || version=$(newest_python)
    base=$(find_python "$version") || { say "no Python $version (with venv and ensurepip) was found"; return 1; }
    say "making .venvs/$name with Python $version"
    rm -rf "${environments:?}/$name"
    "$base" -m venv "$environments/$name"
    install "$@"
    printf '%s\n' "$stamp" >"$environments/$name/made-from"
}

# Quiet twice: errors only.
install() {
    (cd "$repository" && "$python" -m pip install -qq --disable-pip-version-check "$@")
}

# example_needs: what the example depends on besides hotserve; no requirement there holds a space
example_needs() {
    sed -n 's/^dependencies = \[\(.*\)\]$/\1/p' "$repository/examples/starlette_app/pyproject.toml" |
        tr ',' '\n' | sed 's/[" ]//g' | grep -v '^hotserve$'
}
