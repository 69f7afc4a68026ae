#!/bin/bash
# Makes (or updates) the development environment from the pinned, hashed requirements.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=${1:-.venv}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/leeward
uv=$cache/uv/bin/uv
if ! [ -x "$uv" ]; then
  python3 -m venv "$cache/uv" 2>/dev/null || {
    echo "python3 cannot make a virtual environment: on Debian, apt-get install python3-venv" >&2
    exit 1
  }
  "$cache/uv/bin/pip" install --quiet --require-hashes -r requirements/uv.txt
fi
[ -x "$venv/bin/python" ] || "$uv" venv --quiet --python python3 "$venv"
"$uv" pip sync --quiet --python "$venv/bin/python" --require-hashes requirements/dev.txt
"$uv" pip install --quiet --python "$venv/bin/python" --no-deps --no-build-isolation --editable .
