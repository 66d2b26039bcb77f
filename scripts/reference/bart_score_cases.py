"""BARTScore of a small random BART under transformers, as the published bart_score.py computes it.

Usage: python scripts/reference/bart_score_cases.py src/evaluation/fixtures/bart-score.json
Needs: torch, transformers, tokenizers, and small_classifiers.py beside this script.

The weights are not committed: both sides draw them from the same generator, tensor by tensor in the order of their
sorted names.
"""

import importlib.metadata
import json
import sys

import small_classifiers as small
import torch
from tokenizers import processors
from transformers import BartConfig, BartForConditionalGeneration, PreTrainedTokenizerFast

SOURCES = [
    "The fox says hello.",
    "  A reward model reads a prompt; it says how helpful the response is.\n",
    "Café au lait isn't soup — naïve, I'd say!",
    "Begin with soup, which forgives much. " * 5,
    "Yes.",
    "",
]
TARGETS = [
    "The quick brown fox says hello to nobody.",
    "A reward model says how helpful the response is.",
    "Soup is not café au lait; that is naïve. " * 4,
    "Begin with soup: it forgives much in 1999.",
    "No.",
    "nothing",
]
KEYS = ["architectures", "model_type", "vocab_size", "d_model", "encoder_layers", "decoder_layers", "encoder_attention_heads",
        "decoder_attention_heads", "encoder_ffn_dim", "decoder_ffn_dim", "max_position_embeddings", "activation_function",
        "scale_embedding", "pad_token_id", "decoder_start_token_id", "tie_word_embeddings"]


def bart_score(model, tokenizer, sources, targets, batch_size, max_length):
    """https://github.com/neulab/BARTScore, bart_score.py"""
    loss_function = torch.nn.NLLLoss(reduction="none", ignore_index=model.config.pad_token_id)
    scores = []
    for start in range(0, len(sources), batch_size):
        batch = [list_[start : start + batch_size] for list_ in (sources, targets)]
        source, target = [
            tokenizer(texts, max_length=max_length, truncation=True, padding=True, return_tensors="pt") for texts in batch
        ]
        with torch.no_grad():
            output = model(input_ids=source["input_ids"], attention_mask=source["attention_mask"], labels=target["input_ids"])
        log_probabilities = torch.log_softmax(output.logits.view(-1, model.config.vocab_size), dim=1)
        loss = loss_function(log_probabilities, target["input_ids"].view(-1)).view(target["input_ids"].shape[0], -1)
        scores += [round(-float(x), 6) for x in loss.sum(dim=1) / target["attention_mask"].sum(dim=1)]
    return scores


def case(name, seed, scale):
    tokenizer, _ = small.byte_level(["<s>", "<pad>", "</s>", "<unk>"])
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), True, False)
    settings = dict(bos_token="<s>", eos_token="</s>", cls_token="<s>", sep_token="</s>", pad_token="<pad>",
                    unk_token="<unk>", model_max_length=60)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, **settings)
    config = BartConfig(
        vocab_size=tokenizer.get_vocab_size(), d_model=32, encoder_layers=2, decoder_layers=3, encoder_attention_heads=4,
        decoder_attention_heads=2, encoder_ffn_dim=48, decoder_ffn_dim=40, max_position_embeddings=60,
        scale_embedding=scale, architectures=["BartForConditionalGeneration"])
    model = BartForConditionalGeneration(config).eval()
    small.fill(model, seed)
    scores = bart_score(model, fast, SOURCES, TARGETS, 1, 60)
    together = bart_score(model, fast, SOURCES, TARGETS, 4, 60)
    assert max(abs(a - b) for a, b in zip(scores, together)) < 1e-4, (scores, together)
    values = json.loads(config.to_json_string(use_diff=False))
    return {
        "name": name, "seed": seed, "tokenizer": json.loads(tokenizer.to_str()), "tokenizerConfig": settings,
        "config": {key: values[key] for key in KEYS if key in values},
        "shapes": {key: list(value.shape) for key, value in sorted(model.state_dict().items())},
        "scores": scores,
    }


def main():
    versions = {name: importlib.metadata.version(name) for name in ["torch", "transformers", "tokenizers"]}
    cases = [case("BART", 7000, False), case("BART, embeddings scaled", 8000, True)]
    with open(sys.argv[1], "w", encoding="utf-8") as file:
        json.dump({"maker": "scripts/reference/bart_score_cases.py", "versions": versions, "sources": SOURCES,
                   "targets": TARGETS, "cases": cases}, file, separators=(",", ":"), ensure_ascii=False)
        file.write("\n")


main()
