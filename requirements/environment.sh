#!/usr/bin/env bash
# A virtual environment with this package: environment.sh FOLDER VERSIONS EXTRA [PYTHON]
#
#   FOLDER    where it goes; one that is there and up to date is kept, another is made anew
#   VERSIONS  locked: those of requirements/locked.txt, which all tests have passed with
#             lowest: the lowest that setup.cfg allows; newest: the newest that it allows
#   EXTRA     of setup.cfg: "dev" for tests and checks, "" for the package alone
#   PYTHON    python3.13, say, or a path (default: the folder's own, or else python3); it is looked
#             for on PATH and among pyenv's, and never replaced by another one
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$1 versions=$2 extra=$3 wanted=${4:-}

works() { "$1" -c 'import sys; sys.exit(sys.version_info[0] != 3)' >/dev/null 2>&1; }

find_python() {  # NAME -> the path of one that runs
    if works "$1"; then
        "$1" -c 'import sys; print(sys.executable)'
        return
    fi
    local found
    for found in $(ls -d "${PYENV_ROOT:-$HOME/.pyenv}/versions/${1#python}".*/bin/python 2>/dev/null | sort -rV); do
        if works "$found"; then
            echo "$found"
            return
        fi
    done
    echo "environment.sh: $1 is not on this machine (looked on PATH and among pyenv's)" >&2
    return 2
}

if [ -z "$wanted" ] && works "$folder/bin/python"; then
    python=$folder/bin/python
elif [ "$wanted" = newest ]; then
    python=
    for name in python3.13 python3.12 python3.11 python3.10; do
        if python=$(find_python "$name" 2>/dev/null); then break; fi
    done
    [ -n "$python" ] || { echo "environment.sh: no Python from 3.10 to 3.13 on this machine" >&2; exit 2; }
else
    python=$(find_python "${wanted:-python3}") || exit 2
fi
version=$("$python" -c 'import platform; print(platform.python_version())')
case $version in
    3.1[0-9].*) ;;
    *) echo "environment.sh: $python is Python $version; 3.10 or newer is needed" >&2; exit 2 ;;
esac

# What an environment is made of; the package alone is there too where its extra is.
state="$version $versions $(cat setup.cfg pyproject.toml requirements/* | cksum)"
for stamp in "$state $extra" "$state dev"; do
    if [ "$(cat "$folder/made-of" 2>/dev/null)" = "$stamp" ] && works "$folder/bin/python"; then
        exit 0
    fi
done

echo "$folder: Python $version ($python), $versions versions" >&2
if [ "$("$folder/bin/python" -c 'import platform; print(platform.python_version())' 2>/dev/null)" != "$version" ]; then
    rm -rf "$folder"
    "$python" -m venv "$folder"
fi
rm -f "$folder/made-of"
echo "$folder: installing packages: 5.6 GB where all are new, mostly torch's CUDA libraries, in some minutes" >&2
here=$folder/bin/python
package=.${extra:+[$extra]}
if [ "$versions" = locked ]; then
    "$here" -m pip install --quiet --disable-pip-version-check --constraint requirements/locked.txt --editable "$package"
else
    # uv knows how to take the lowest versions; what it unpacks once is shared by all environments.
    "$here" -m pip install --quiet --disable-pip-version-check --requirement requirements/uv.txt
    resolution=$([ "$versions" = lowest ] && echo lowest-direct || echo highest)
    "$here" -m uv pip install --quiet --upgrade --python "$here" --resolution "$resolution" --editable "$package"
fi
if [ "$extra" = dev ]; then
    "$here" -m pip install --quiet --disable-pip-version-check --no-deps --requirement requirements/alone.txt
fi
echo "$state $extra" > "$folder/made-of"
