#!/bin/bash
# Lints the chart and runs its unit tests. helm and helm-unittest come from the cluster tool's cache.
set -euo pipefail
cd "$(dirname "$0")/.."
helm=$(python3 tools/cluster tool helm)
"$helm" lint --quiet charts/leeward
"$(python3 tools/cluster tool helm-unittest)" charts/leeward
