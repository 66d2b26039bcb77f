"""Logits and token ids of small random sequence classifiers under Hugging Face transformers (CPU, float32).

Usage: python scripts/reference/small_classifiers.py src/convert/classifier/fixtures/small-classifiers.json \
         cli/fixtures/scores.json

The second file holds the standardized scores of made-up pairs, by the published script's rules: a pair is dropped when a
dialogue has fewer than 8 tokens or more than the limit of any of the tokenizers, scores are rounded to one decimal, and mean
and deviation (numpy's) are those of chosen and rejected together.
Needs: torch, transformers, tokenizers, numpy.

The weights are not committed: both sides draw them from the same generator (mulberry32 and Box-Muller; the other
side is normalValues in src/convert/small-llama.fixture.ts), tensor by tensor in the order of their sorted names. The
tokenizers are trained here, on the sentences below.
"""

import json
import sys

import numpy as np
import tokenizers
import torch
import transformers
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    BertConfig, BertForSequenceClassification, DistilBertConfig, DistilBertForSequenceClassification, GPT2Config,
    GPT2ForSequenceClassification, PreTrainedTokenizerFast)

CORPUS = [
    "The quick brown fox jumps over the lazy dog, and nobody is surprised.",
    "A reward model reads a prompt and a response; it says how helpful the response is.",
    "Human: What is the best way to learn to cook? Assistant: Begin with soup, which forgives much.",
    "Human: Tell me a joke. Assistant: My bread is lazy: it only loafs around.",
    "Questions about weather, trains, gardens, taxes and music were answered in 1999, 2005 and 2024.",
]
TEXTS = [
    "The fox says hello.",
    "\n\nHuman: What's the best soup?  \n\nAssistant: Café au lait isn't soup — naïve, I'd say!",
    "A",
    "it's 3.14159 o'clock; e-mail: a_b@example.org\tTabs\u00a0and\u3000spaces",
    "中文 and 日本語 and emoji 😀👩‍👩‍👧 and Ελληνικά",
    "a [SEP] special [CLS] word <|endoftext|> inside [PAD]",
    "the response is helpful " * 6,
    "ends in padding [PAD]<|endoftext|>",
]
PAIRS = [
    ["\n\nHuman: Tell me a joke. \n\nAssistant:", "My bread is lazy."],
    ["A prompt", ""],
    ["A much longer prompt about gardens and trains and the weather in 1999", "Yes."],
]


def uniforms(count, seed):
    state, out = seed & 0xFFFFFFFF, np.empty(count)
    for i in range(count):
        state = (state + 0x6D2B79F5) & 0xFFFFFFFF
        x = ((state ^ (state >> 15)) * (state | 1)) & 0xFFFFFFFF
        x ^= (x + (((x ^ (x >> 7)) * (x | 61)) & 0xFFFFFFFF)) & 0xFFFFFFFF
        out[i] = ((x ^ (x >> 14)) + 0.5) / 4294967296
    return out


def normal(count, seed):
    pairs = uniforms(2 * count, seed).reshape(count, 2)
    return (np.sqrt(-2 * np.log(pairs[:, 0])) * np.cos(2 * np.pi * pairs[:, 1])).astype(np.float32)


def fill(model, seed):
    """Vectors are about 1 in norms and small in biases; matrices keep the size of what they are given."""
    state = model.state_dict()
    for index, name in enumerate(sorted(state)):
        values = normal(state[name].numel(), seed + index)
        if state[name].dim() > 1:
            values = values / np.float32(np.sqrt(state[name].shape[-1]))
        else:
            is_norm = "norm" in name.lower() or "ln_" in name
            values = values / np.float32(10) + np.float32(1 if is_norm and name.endswith("weight") else 0)
        state[name].copy_(torch.from_numpy(values.astype(np.float32).reshape(state[name].shape)))


def word_piece(lowercase):
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer.train_from_iterator(CORPUS, trainers.WordPieceTrainer(vocab_size=200, special_tokens=specials))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    tokenizer.decoder = decoders.WordPiece(prefix="##")
    return tokenizer, dict(pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]",
                           mask_token="[MASK]", model_max_length=64, do_lower_case=lowercase)


def byte_level(specials=("<|endoftext|>",)):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.train_from_iterator(CORPUS, trainers.BpeTrainer(
        vocab_size=330, special_tokens=list(specials), initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer, dict(eos_token="<|endoftext|>", bos_token="<|endoftext|>", unk_token="<|endoftext|>",
                           model_max_length=120)


MADE = {}


def case(name, model_class, config, tokenizer, settings, seed, pad_token):
    model = model_class(config).eval()
    fill(model, seed)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, **settings)
    if fast.pad_token is None and pad_token is not None:
        fast.pad_token = pad_token
    uses_types = config.model_type == "bert"

    def encode(*texts):
        return fast(*texts, return_token_type_ids=True, add_special_tokens=True)

    def logits(inputs):
        kept = {key: value for key, value in inputs.items() if uses_types or key != "token_type_ids"}
        with torch.no_grad():
            return [[round(float(x), 6) for x in row] for row in model(**kept).logits]

    singles = [[text] for text in TEXTS]
    rows = []
    for texts in singles + PAIRS:
        encoded = encode(*texts)
        tensors = {key: torch.tensor([value]) for key, value in encoded.items()}
        rows.append({"texts": texts, "ids": encoded["input_ids"], "typeIds": encoded["token_type_ids"],
                     "logits": logits(tensors)[0]})
    if pad_token is not None:
        # Padded batches agree with single rows up to rounding; asserted here so that the fixture need not hold both.
        batch = fast(TEXTS, padding=True, return_tensors="pt", return_token_type_ids=True)
        for row, alone in zip(logits(batch), rows):
            assert np.allclose(row, alone["logits"], atol=1e-5), (name, row, alone)
    cut = fast(TEXTS[1], truncation=True, max_length=12)["input_ids"]
    vocabulary = tokenizer.get_vocab()
    MADE[name] = fast, model
    return {
        "name": name, "seed": seed, "config": json.loads(config.to_json_string(use_diff=False)),
        "tokenizer": json.loads(tokenizer.to_str()), "tokenizerConfig": settings,
        "vocabulary": sorted(vocabulary, key=vocabulary.get), "rows": rows, "cutTo12": cut,
    }


def made_up_pairs():
    words = " ".join(CORPUS).split()
    pairs = []
    for i in range(60):
        take = lambda start, count: " ".join(words[(start * 7 + k * (1 + start % 3)) % len(words)] for k in range(count))
        prompt = f"\n\nHuman: {take(i, 1 + i % 9)} \n\nAssistant:" if i % 20 else "Hi:"
        pairs.append([prompt, take(i + 3, 1 + (5 * i) % 17), take(i + 11, 1 + (3 * i) % 23)])
    return pairs


def scores(scorers):
    """scorers: (tokenizer, limit, model, index, whether it reads pairs)"""
    pairs = made_up_pairs()
    kept = [(prompt, chosen, rejected) for prompt, chosen, rejected in pairs if all(
        8 <= len(tokenizer(f"{prompt} {response}")["input_ids"]) <= limit
        for tokenizer, limit, _, _, _ in scorers for response in (chosen, rejected))]
    columns = []
    for tokenizer, _, model, index, reads_pairs in scorers:
        def score(prompt, response):
            texts = (prompt, response) if reads_pairs else (response,)
            inputs = tokenizer(*texts, return_tensors="pt", return_token_type_ids=False)
            with torch.no_grad():
                return round(model(**inputs).logits[0][index].item(), 1)
        columns.append(([score(p, c) for p, c, _ in kept], [score(p, r) for p, _, r in kept]))
    statistics = [(float(np.mean(c + r)), float(np.std(c + r))) for c, r in columns]
    sides = [[((np.array(column[side]) - mean) / std).tolist() for column, (mean, std) in zip(columns, statistics)]
             for side in (0, 1)]
    return {"pairs": pairs, "kept": [pairs.index(list(pair)) for pair in kept], "statistics": statistics,
            "chosen": sides[0], "rejected": sides[1]}


def trimmed(config, keys):
    config["config"] = {key: config["config"][key] for key in keys if key in config["config"]}
    return config


COMMON = ["architectures", "model_type", "vocab_size", "id2label", "label2id", "pad_token_id"]
BERT = ["hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "max_position_embeddings",
        "type_vocab_size", "layer_norm_eps", "hidden_act", "position_embedding_type"]
DISTILBERT = ["dim", "hidden_dim", "n_layers", "n_heads", "max_position_embeddings", "activation"]
GPT2 = ["n_embd", "n_inner", "n_layer", "n_head", "n_positions", "activation_function", "layer_norm_epsilon",
        "scale_attn_weights", "scale_attn_by_inverse_layer_idx"]


def main():
    cased, cased_settings = word_piece(lowercase=False)
    lower, lower_settings = word_piece(lowercase=True)
    bytes_, byte_settings = byte_level()
    labels = lambda names: dict(id2label=dict(enumerate(names)), label2id={name: i for i, name in enumerate(names)})
    cases = [
        trimmed(case("BERT, three labels", BertForSequenceClassification, BertConfig(
            vocab_size=lower.get_vocab_size(), hidden_size=32, intermediate_size=48, num_hidden_layers=2,
            num_attention_heads=4, max_position_embeddings=120, hidden_act="gelu",
            architectures=["BertForSequenceClassification"], **labels(["none", "bias", "job"])),
            lower, lower_settings, 100, "[PAD]"), COMMON + BERT),
        trimmed(case("DistilBERT, two labels", DistilBertForSequenceClassification, DistilBertConfig(
            vocab_size=cased.get_vocab_size(), dim=24, hidden_dim=40, n_layers=2, n_heads=3,
            max_position_embeddings=120, architectures=["DistilBertForSequenceClassification"],
            **labels(["NO_HUMOR", "HUMOR"])), cased, cased_settings, 300, "[PAD]"), COMMON + DISTILBERT),
        trimmed(case("GPT-2, one label, padded with its end", GPT2ForSequenceClassification, GPT2Config(
            vocab_size=bytes_.get_vocab_size(), n_embd=32, n_layer=2, n_head=4, n_positions=256, num_labels=1,
            pad_token_id=0, bos_token_id=0, eos_token_id=0, architectures=["GPT2ForSequenceClassification"]),
            bytes_, byte_settings, 500, "<|endoftext|>"), COMMON + GPT2),
        trimmed(case("GPT-2, two labels, no padding token, another activation", GPT2ForSequenceClassification, GPT2Config(
            vocab_size=bytes_.get_vocab_size(), n_embd=16, n_inner=24, n_layer=1, n_head=2, n_positions=200, num_labels=2,
            bos_token_id=0, eos_token_id=0, activation_function="relu",
            architectures=["GPT2ForSequenceClassification"]), bytes_, byte_settings, 700, None), COMMON + GPT2),
    ]
    with open(sys.argv[1], "w", encoding="utf-8") as file:
        json.dump({
            "maker": "scripts/reference/small_classifiers.py",
            "versions": {"torch": torch.__version__, "transformers": transformers.__version__,
                         "tokenizers": tokenizers.__version__},
            "cases": cases,
        }, file, separators=(",", ":"), ensure_ascii=False)
        file.write("\n")

    (gpt2_tokens, gpt2), (bert_tokens, distilbert) = MADE[cases[2]["name"]], MADE[cases[1]["name"]]
    _, other = MADE[cases[3]["name"]]
    with open(sys.argv[2], "w", encoding="utf-8") as file:
        json.dump({
            "maker": "scripts/reference/small_classifiers.py",
            "versions": {"torch": torch.__version__, "transformers": transformers.__version__, "numpy": np.__version__},
            **scores([(gpt2_tokens, 120, gpt2, 0, True), (gpt2_tokens, 120, other, 1, True),
                      (bert_tokens, 64, distilbert, 1, False)]),
        }, file, separators=(",", ":"), ensure_ascii=False)
        file.write("\n")


if __name__ == "__main__":
    main()
