"""BERTScore of small random encoders, by the bert_score package itself.

Usage: python scripts/reference/bert_score_cases.py src/evaluation/fixtures/bert-score.json
Needs: torch, transformers, tokenizers, bert-score, and small_classifiers.py beside this script.

The weights are not committed: both sides draw them from the same generator, tensor by tensor in the order of their
sorted names.
"""

import importlib.metadata
import json
import sys
import tempfile
from pathlib import Path

import small_classifiers as small
import torch
from bert_score import BERTScorer
from bert_score.utils import bert_cos_score_idf, get_idf_dict, sent_encode
from collections import defaultdict
from tokenizers import processors
from transformers import BertConfig, BertForMaskedLM, PreTrainedTokenizerFast, RobertaConfig, RobertaModel

TEXTS = [
    "The fox says hello.",
    "  A reward model reads a prompt; it says how helpful the response is.\n",
    "Café au lait isn't soup — naïve, I'd say!",
    "Begin with soup, which forgives much. " * 5,
    "Yes.",
]
REFERENCES = [
    "The quick brown fox says hello to nobody.",
    "A reward model says how helpful the response is.",
    "Soup is not café au lait; that is naïve.",
    "Begin with soup: it forgives much in 1999.",
    "No.",
]


# As bert_score's own files: a layer a line, from the embeddings on.
BASELINE = "LAYER,P,R,F\n0,0.31,0.32,0.3\n1,0.12,0.13,0.125\n2,-0.2,0.4,0.05\n3,0.21,0.22,0.205\n"


def rescaled(model, fast, layer):
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        fast.save_pretrained(folder)
        baseline = Path(folder) / "baseline.tsv"
        baseline.write_text(BASELINE)
        scorer = BERTScorer(model_type=folder, num_layers=layer, batch_size=1, device="cpu", lang="en",
                            rescale_with_baseline=True, baseline_path=str(baseline))
        scores = [scorer.score([text], [reference]) for text, reference in zip(TEXTS, REFERENCES)]
    return [[round(float(one), 7) for one in score] for score in scores]


class Spaced:
    """As bert_score's sent_encode asks RoBERTa's slow tokenizer to: a space before the text."""

    def __init__(self, fast):
        self.fast, self.pad_token_id, self.model_max_length = fast, fast.pad_token_id, fast.model_max_length

    def encode(self, text, **options):
        return self.fast.encode(f" {text}", **options)


def case(name, model, layer, tokenizer, fast, settings, seed):
    small.fill(model, seed)
    shapes = {key: list(value.shape) for key, value in sorted(model.state_dict().items())}
    baseline = {"rescaled": rescaled(model, fast, layer)} if model.config.model_type == "bert" else {}
    encoder = model.bert if hasattr(model, "bert") else model
    encoder.eval()
    encoder.encoder.layer = encoder.encoder.layer[:layer]
    surround = defaultdict(lambda: 1.0)
    surround[fast.sep_token_id] = surround[fast.cls_token_id] = 0
    scorer = Spaced(fast) if model.config.model_type == "roberta" else fast
    idf = get_idf_dict(REFERENCES, scorer, nthreads=0)

    def scores(weights):
        # A pair at a time: padding in a batch takes a similarity below 0 for 0.
        return [
            [round(float(x), 7) for x in bert_cos_score_idf(encoder, [reference], [text], scorer, weights, device="cpu")[0]]
            for text, reference in zip(TEXTS, REFERENCES)
        ]

    config = json.loads(model.config.to_json_string(use_diff=False))
    return {
        "name": name, "seed": seed, "layer": layer, "tokenizer": json.loads(tokenizer.to_str()), "tokenizerConfig": settings,
        "config": {key: config[key] for key in small.COMMON + small.BERT if key in config},
        "shapes": shapes,
        "ids": [sent_encode(scorer, text) for text in TEXTS],
        "equal": scores(surround), "idf": scores(idf), **baseline,
    }


def main():
    cases = []
    lower, lower_settings = small.word_piece(lowercase=True)
    fast = PreTrainedTokenizerFast(tokenizer_object=lower, **lower_settings)
    for layer in (1, 3):
        model = BertForMaskedLM(BertConfig(
            vocab_size=lower.get_vocab_size(), hidden_size=32, intermediate_size=48, num_hidden_layers=3,
            num_attention_heads=4, max_position_embeddings=120, tie_word_embeddings=False, architectures=["BertForMaskedLM"]))
        cases.append(case(f"BERT under a language model's head, layer {layer}", model, layer, lower, fast, lower_settings, 1000))
    bytes_, _ = small.byte_level(["<s>", "<pad>", "</s>", "<unk>"])
    bytes_.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), True, False)
    settings = dict(bos_token="<s>", eos_token="</s>", cls_token="<s>", sep_token="</s>", pad_token="<pad>",
                    unk_token="<unk>", model_max_length=40)
    fast = PreTrainedTokenizerFast(tokenizer_object=bytes_, **settings)
    model = RobertaModel(RobertaConfig(
        vocab_size=bytes_.get_vocab_size(), hidden_size=24, intermediate_size=40, num_hidden_layers=2, num_attention_heads=3,
        max_position_embeddings=130, type_vocab_size=1, pad_token_id=1, layer_norm_eps=1e-5, architectures=["RobertaModel"]))
    cases.append(case("RoBERTa, bare, layer 2", model, 2, bytes_, fast, settings, 2000))
    versions = {name: importlib.metadata.version(name) for name in ["bert-score", "torch", "transformers", "tokenizers"]}
    with open(sys.argv[1], "w", encoding="utf-8") as file:
        json.dump({"maker": "scripts/reference/bert_score_cases.py", "versions": versions, "texts": TEXTS,
                   "references": REFERENCES, "baseline": BASELINE, "cases": cases}, file, separators=(",", ":"), ensure_ascii=False)
        file.write("\n")


main()
