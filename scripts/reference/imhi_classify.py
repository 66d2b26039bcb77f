"""Labels that small random BERTs give to texts under transformers, and scikit-learn's scores of them.

Usage: python scripts/reference/imhi_classify.py cli/fixtures/imhi-classify.json
Needs: torch, transformers, tokenizers, scikit-learn, and small_classifiers.py beside this script.
"""

import importlib.metadata
import json
import sys

import small_classifiers as small
import torch
from sklearn.metrics import accuracy_score, f1_score
from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

# In the order of the logits: the published models' names, and what the reference's evaluation makes of each.
LABELS = {
    "DR": [("no", 0), ("yes", 1)],
    "CAMS": [("none", 0), ("bias", 1), ("job", 2), ("medication", 3), ("relation", 4), ("alienation", 5)],
    "SAD": [("school", 0), ("financial", 1), ("family", 2), ("social", 3), ("work", 4), ("health", 5), ("emotional", 6),
            ("everyday", 7), ("other", 8)],
}
# In the order in which they are looked for.
REFERENCES = {
    "DR": [("yes", 1), ("no", 0)],
    "CAMS": [("no causes", 0), ("bias or abuse", 1), ("jobs and career", 2), ("medication", 3), ("relationship", 4),
             ("alienation", 5)],
    "SAD": [("school", 0), ("financial problem", 1), ("family issues", 2), ("social relationships", 3), ("work", 4),
            ("health issues", 5), ("emotion turmoil", 6), ("everyday decision making", 7), ("other", 8)],
}
GOLDENS = {
    "DR": ["No, the poster does not.", "Yes. Reasoning: no rest.", "It cannot be said.", "yes", "No."],
    "CAMS": ["The cause is no causes.", "bias or abuse. Reasoning: none", "Jobs and career", "medication", "none",
             "relationship", "alienation"],
    "SAD": ["Emotion turmoil. Reasoning: school", "other stress", "school", "Work", "health issues", "emotional turmoil",
            "everyday decision making", "Family issues", "financial problem"],
}
WORDS = ("the fox jumps over gardens and trains while nobody answers questions about soup bread music taxes weather "
         "a response is helpful lazy quick brown best begin learn cook tell joke forgives much").split()


def texts(count):
    return [" ".join(WORDS[(7 * i + 5 * j * j + i * j) % len(WORDS)] for j in range(3 + (5 * i) % 90)) for i in range(count)]


def label_of(dataset, text):
    answer = text.split("Reasoning:")[0].lower()
    return next((label for phrase, label in REFERENCES[dataset] if phrase in answer), None)


def case(dataset, seed):
    tokenizer, settings = small.word_piece(lowercase=True)
    names = [name for name, _ in LABELS[dataset]]
    config = BertConfig(
        vocab_size=tokenizer.get_vocab_size(), hidden_size=32, intermediate_size=48, num_hidden_layers=2,
        num_attention_heads=4, max_position_embeddings=64, architectures=["BertForSequenceClassification"],
        id2label={i: f"LABEL_{i}" for i in range(len(names))}, label2id={f"LABEL_{i}": i for i in range(len(names))})
    model = BertForSequenceClassification(config).eval()
    small.fill(model, seed)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, **settings)
    rows = [{"goldens": GOLDENS[dataset][i % len(GOLDENS[dataset])], "text": text} for i, text in enumerate(texts(40))]
    batch = fast([row["text"] for row in rows], padding=True, truncation=True, max_length=64, return_tensors="pt",
                 return_token_type_ids=True)
    with torch.no_grad():
        logits = model(**batch).logits
    top = logits.topk(2).values
    assert float((top[:, 0] - top[:, 1]).min()) > 2e-4, f"{dataset}: another seed, or rounding decides"
    numbers = []
    for row, index in zip(rows, logits.argmax(-1).tolist()):
        row["label"], number = LABELS[dataset][index]
        numbers.append(number)
    pairs = [(label_of(dataset, row["goldens"]), number) for row, number in zip(rows, numbers)]
    kept = [(reference, number) for reference, number in pairs if reference is not None]
    y, z = [reference for reference, _ in kept], [number for _, number in kept]
    f1 = lambda average: round(100 * f1_score(y, z, average=average), 2)
    return {
        "dataset": dataset, "seed": seed, "tokenizer": json.loads(tokenizer.to_str()), "tokenizerConfig": settings,
        "config": {key: json.loads(config.to_json_string(use_diff=False))[key]
                   for key in small.COMMON + small.BERT if key in json.loads(config.to_json_string(use_diff=False))},
        "rows": rows,
        "metrics": {"rows": len(kept), "accuracy": round(100 * accuracy_score(y, z), 2), "weightedF1": f1("weighted"),
                    "microF1": f1("micro"), "macroF1": f1("macro"), "unlabelledReferences": len(pairs) - len(kept)},
    }


def main():
    cases = [case("DR", 4000), case("CAMS", 5000), case("SAD", 6000)]
    versions = {name: importlib.metadata.version(name) for name in ["torch", "transformers", "tokenizers", "scikit-learn"]}
    with open(sys.argv[1], "w", encoding="utf-8") as file:
        json.dump({"maker": "scripts/reference/imhi_classify.py", "versions": versions, "cases": cases}, file,
                  separators=(",", ":"), ensure_ascii=False)
        file.write("\n")


main()
