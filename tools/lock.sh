#!/bin/bash
# Pins and hashes the requirements of every role. No addresses go into the lock files.
set -euo pipefail
cd "$(dirname "$0")/.."
uv=${XDG_CACHE_HOME:-$HOME/.cache}/leeward/uv/bin/uv
compile() {
  "$uv" pip compile --quiet --upgrade --python-version 3.11 --generate-hashes --no-emit-index-url \
    --no-header --no-annotate --output-file "requirements/$1.txt" "${@:2}"
}
compile operator pyproject.toml --extra operator
compile masking pyproject.toml --extra masking
compile dev pyproject.toml --extra dev
compile uv requirements/uv.in
