#!/bin/bash
# Installs (or upgrades) the chart of this checkout with the images that were just built.
# install.sh IMAGES.json   {"operator": {"repository", "tag"}, "masking": {...}}
set -euo pipefail
cd "$(dirname "$0")/.."
read_image() { python3 -c 'import json,sys; print(json.load(open(sys.argv[1]))[sys.argv[2]][sys.argv[3]])' "$1" "$2" "$3"; }
args=(--namespace leeward-system --create-namespace --wait --timeout 180s)
[ -z "${KUBE_CONTEXT:-}" ] || args+=(--kube-context "$KUBE_CONTEXT")
for role in operator masking; do
  args+=(--set "$role.image.repository=$(read_image "$1" $role repository)" --set "$role.image.tag=$(read_image "$1" $role tag)")
done
[ -n "${KUBE_CONTEXT:-}" ] || args+=(--set image.pullPolicy=Never)
helm upgrade --install leeward charts/leeward "${args[@]}" >/dev/null
echo "installed: operator $(read_image "$1" operator tag), masking $(read_image "$1" masking tag)"
