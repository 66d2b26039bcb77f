"""The reference's way of aligning a file, for scripts/bench-batch.ts: batches of 16 rows through transformers' generate().

Usage: python scripts/reference/batch_generate.py GGUF CSV --rows N --new-tokens N --threads N [--batch-size 16]
Needs: torch, transformers, gguf, accelerate. Prints one JSON object: seconds of the run without loading, rows, edits'
tokens, peak memory in bytes. Padding on the left, greedy, float32, as aligner_inference.py does it on a GPU.
"""

import argparse
import csv
import json
import resource
import time
from pathlib import Path

import gguf  # noqa: F401  (fails early with a clear name)
import torch
import transformers

from smollm2_greedy import prompt_of


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("gguf", type=Path)
    parser.add_argument("csv", type=Path)
    parser.add_argument("--rows", type=int, required=True)
    parser.add_argument("--new-tokens", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--batch-size", type=int, default=16)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)

    folder, name = str(options.gguf.parent), options.gguf.name
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, gguf_file=name, padding_side="left")
    tokenizer.pad_token = tokenizer.eos_token
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, dtype=torch.float32).eval()
    with open(options.csv, newline="", encoding="utf-8") as file:
        prompts = [prompt_of(row) for row in csv.DictReader(file)][: options.rows]

    started = time.perf_counter()
    tokens = 0
    for start in range(0, len(prompts), options.batch_size):
        inputs = tokenizer(prompts[start : start + options.batch_size], return_tensors="pt", padding=True)
        with torch.no_grad():
            output = model.generate(
                **inputs, do_sample=False, max_new_tokens=options.new_tokens, pad_token_id=tokenizer.pad_token_id
            )
        edits = output[:, inputs.input_ids.shape[1] :]
        tokens += int((edits != tokenizer.pad_token_id).sum())
        tokenizer.batch_decode(edits, skip_special_tokens=True)
    print(json.dumps({
        "rows": len(prompts),
        "tokens": tokens,
        "seconds": time.perf_counter() - started,
        "peakBytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
    }))  # fmt: skip


if __name__ == "__main__":
    main()
