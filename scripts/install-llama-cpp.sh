#!/usr/bin/env bash
# node-llama-cpp with its CPU build alone, for tests and benchmarks: its other builds weigh hundreds of MB and are not
# installed, and nothing is downloaded or compiled after npm. It goes into .cache/llama-cpp, with a link from node_modules.
# Does nothing when done.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ "$(uname -s)-$(uname -m)" != Linux-x86_64 ]; then
  version=$(node -p 'require("./scripts/llama-cpp/package.json").dependencies["node-llama-cpp"]')
  echo "This script is for Linux on x64. Here: npm install --no-save node-llama-cpp@$version" >&2
  exit 0
fi

home=.cache/llama-cpp
lock=scripts/llama-cpp/package-lock.json
if ! cmp -s "$lock" "$home/installed.json"; then
  mkdir -p "$home"
  rm -f "$home/installed.json"
  cp scripts/llama-cpp/package.json "$lock" "$home/"
  # --omit=optional leaves out the builds that package.json does not name.
  npm ci --prefix "$home" --omit=optional --ignore-scripts --no-audit --no-fund --silent
  cp "$lock" "$home/installed.json"
fi

link=node_modules/node-llama-cpp
target=../$home/node_modules/node-llama-cpp
if [ -e "$link" ] && [ ! -L "$link" ]; then
  echo "node-llama-cpp is in node_modules by itself; that one is used." >&2
elif [ "$(readlink "$link" 2>/dev/null)" != "$target" ]; then
  mkdir -p node_modules
  ln -sfn "$target" "$link"
fi
