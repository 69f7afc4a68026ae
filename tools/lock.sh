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
compile masking pyproject.toml --extra masking --extra s3
# The same versions as in the image that it adds to.
compile masking-models pyproject.toml --extra masking --extra s3 --extra models --constraint requirements/masking.txt
# botocore wants an older python-dateutil than kubernetes does. No image has both; what botocore
# takes of it is in either, as the tests of S3 show.
compile dev pyproject.toml --extra dev --override <(echo "python-dateutil>=3")
compile uv requirements/uv.in
