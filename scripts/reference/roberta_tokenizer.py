"""Token ids of RoBERTa's and BART's tokenizers made from vocab.json and merges.txt, by Hugging Face transformers.

Usage: python scripts/reference/roberta_tokenizer.py > src/convert/tokenizer/fixtures/roberta-vocabulary.json
Needs: transformers, tokenizers, and small_classifiers.py beside this script. The vocabulary is trained here.
"""

import importlib.metadata
import json
import tempfile
from pathlib import Path

import small_classifiers as small
from transformers import BartTokenizer, RobertaTokenizer

TEXTS = [
    *small.TEXTS,
    "", " ", " a space before", "a space after ", "<mask> and <s> inside</s>", "before <mask>after", "<pad>it's<unk>",
]


def main():
    tokenizer, _ = small.byte_level(["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
    model = json.loads(tokenizer.to_str())["model"]
    merges = [pair if isinstance(pair, str) else " ".join(pair) for pair in model["merges"]]
    cases = []
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "vocab.json").write_text(json.dumps(model["vocab"]), encoding="utf-8")
        (Path(folder) / "merges.txt").write_text("\n".join(["#version: 0.2", *merges, ""]), encoding="utf-8")
        for architecture, made_by, settings in [
            ("roberta", RobertaTokenizer, {}), ("roberta", RobertaTokenizer, {"add_prefix_space": True}),
            ("bart", BartTokenizer, {}),
        ]:
            (Path(folder) / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
            made = made_by.from_pretrained(folder)
            cases.append({"architecture": architecture, "tokenizerConfig": settings,
                          "ids": [made(text)["input_ids"] for text in TEXTS]})
    print(json.dumps({
        "maker": "scripts/reference/roberta_tokenizer.py",
        "versions": {name: importlib.metadata.version(name) for name in ("transformers", "tokenizers")},
        "vocabulary": model["vocab"], "merges": merges, "texts": TEXTS, "cases": cases,
    }, ensure_ascii=False))


main()
