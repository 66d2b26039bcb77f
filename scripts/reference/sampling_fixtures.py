"""Probabilities after Hugging Face's logits processors, and numbers of xoshiro128**, as golden values for sampling.ts.

Usage: python scripts/reference/sampling_fixtures.py src/engines/fixtures/sampling.json
Needs: torch, transformers. Logits are multiples of 1/64, so float32 and JSON hold the same numbers.
"""

import json
import random
import sys

import torch
import transformers
from transformers import (
    LogitsProcessorList,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

MASK = 2**64 - 1
VOCABULARY = 48


def options(temperature=1.0, top_k=0, top_p=1.0, penalty=1.0):
    return {"temperature": temperature, "topK": top_k, "topP": top_p, "repetitionPenalty": penalty}


OPTIONS = [
    options(),
    options(temperature=0.6),
    options(temperature=2.5),
    options(top_k=1),
    options(top_k=5),
    options(top_k=47),
    options(top_k=500),
    options(top_p=0.9),
    options(top_p=0.5),
    options(top_p=0.01),
    options(penalty=1.3),
    options(penalty=0.7),
    options(temperature=0.9, top_p=0.6),
    options(temperature=0.7, top_k=20, top_p=0.8),
    options(temperature=1.7, top_k=8, top_p=0.95, penalty=1.2),
    options(temperature=0.3, top_k=3, top_p=0.7, penalty=2.0),
]


def logits_of(generator, kind):
    values = [generator.randint(-8 * 64, 8 * 64) / 64 for _ in range(VOCABULARY)]
    if kind == "ties":  # few distinct values: the k-th is rarely alone
        values = [float(round(value / 4)) for value in values]
    if kind == "sharp":
        values[generator.randrange(VOCABULARY)] = 40.0
    return values


def processed(logits, seen, o):
    steps = LogitsProcessorList()
    if o["repetitionPenalty"] != 1:
        steps.append(RepetitionPenaltyLogitsProcessor(o["repetitionPenalty"]))
    if o["temperature"] != 1:
        steps.append(TemperatureLogitsWarper(o["temperature"]))
    if o["topK"] > 0:
        steps.append(TopKLogitsWarper(o["topK"]))
    if o["topP"] < 1:
        steps.append(TopPLogitsWarper(o["topP"]))
    scores = steps(torch.tensor([seen], dtype=torch.long), torch.tensor([logits], dtype=torch.float32))[0]
    return scores, scores.double().softmax(-1)


def is_clear(logits, seen, o):
    """Whether the nucleus is beyond rounding and does not cut through ties, where the order of a sort decides."""
    if o["topP"] >= 1:
        return True
    scores, _ = processed(logits, seen, {**o, "topP": 1.0})
    ordered = scores.double().sort(descending=True).values
    before = ordered.softmax(-1).cumsum(-1) - ordered.softmax(-1)
    kept = int((before < o["topP"]).sum())
    if min(abs(float(b) - o["topP"]) for b in before) < 1e-4:
        return False
    return kept == VOCABULARY or float(ordered[kept - 1]) != float(ordered[kept])


def sampling_cases():
    generator = random.Random(20240317)
    cases = []
    for o in OPTIONS:
        for kind in ("spread", "ties", "sharp"):
            while True:
                logits = logits_of(generator, kind)
                seen = [generator.randrange(VOCABULARY) for _ in range(generator.randint(1, 24))]
                if is_clear(logits, seen, o):
                    break
            _, probabilities = processed(logits, seen, o)
            kept = {str(i): float(f"{float(p):.9g}") for i, p in enumerate(probabilities) if float(p) > 0}
            cases.append({"options": o, "seenIds": seen, "logits": logits, "probabilities": kept})
    return cases


def random_words(seed, count):
    """xoshiro128** 1.1 from SplitMix64, written from the authors' C, with Python's unbounded integers."""
    halves = []
    for _ in range(2):
        seed = (seed + 0x9E3779B97F4A7C15) & MASK
        z = seed
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        z ^= z >> 31
        halves += [z & 0xFFFFFFFF, z >> 32]
    s = halves

    def rotl(x, k):
        return ((x << k) | (x >> (32 - k))) & 0xFFFFFFFF

    words = []
    for _ in range(count):
        words.append((rotl((s[1] * 5) & 0xFFFFFFFF, 7) * 9) & 0xFFFFFFFF)
        t = (s[1] << 9) & 0xFFFFFFFF
        s[2] ^= s[0]
        s[3] ^= s[1]
        s[1] ^= s[2]
        s[0] ^= s[3]
        s[2] ^= t
        s[3] = rotl(s[3], 11)
    return words


def main():
    result = {
        "maker": "scripts/reference/sampling_fixtures.py",
        "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
        "random": [{"seed": seed, "words": random_words(seed, 8)} for seed in (0, 1, 42, 2**31, 2**32 - 1)],
        "cases": sampling_cases(),
    }
    with open(sys.argv[1], "w", encoding="utf-8") as file:
        json.dump(result, file, separators=(",", ":"))
        file.write("\n")


main()
