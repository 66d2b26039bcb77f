#!/usr/bin/env bash
# Three views of one tree: the pure folders see neither the DOM nor Node, the page sees no Node, the rest sees both.
set -euo pipefail
for view in pure web node; do npx tsc -p "tsconfig.$view.json"; done
