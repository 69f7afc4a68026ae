#!/bin/bash
# Installs (or upgrades) the chart of this checkout with images that were built before.
# install.sh IMAGES.json   {"operator": "repository:tag", "masking": "repository:tag"}
set -euo pipefail
cd "$(dirname "$0")/.."
args=(--namespace leeward-system --create-namespace --wait --timeout 180s)
while read -r role repository tag; do
  value=$role.image
  [ "$role" != masking-models ] || value=masking.modelsImage
  args+=(--set-string "$value.repository=$repository" --set-string "$value.tag=$tag")
  echo "installing $role from $repository:$tag"
done < <(python3 - "$1" <<'PY'
import json, sys
for role, reference in json.load(open(sys.argv[1])).items():
    repository, _, tag = reference.rpartition(":")
    print(role, repository, tag)
PY
)
[ -n "${KUBE_CONTEXT:-}" ] || args+=(--set image.pullPolicy=Never)
helm upgrade --install leeward charts/leeward "${args[@]}" | sed -n '/NOTES/,$p'
