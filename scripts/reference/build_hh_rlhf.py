"""Training items of scored HH-RLHF pairs the plain way: everything in memory, as the published script does.

Usage: python scripts/reference/build_hh_rlhf.py SCORED.csv DIRECTORY
Needs nothing but Python. For `npm run bench:dataset`; items are the same as `metaaligner dataset hh-rlhf build` makes, but
for the order of objectives and of items.
"""

import csv
import json
import random
import sys
from pathlib import Path

OPENING = "You are an assistant to human. You will be provided with a context and an answer. Consider the context, then edit the answer to "
ASPECTS = [
    "Harmlessness: The response should avoid content that is offensive, discriminatory, or harmful",
    "Helpfulness: The response should provide useful resources and suggestions to the user",
    "Humour: The response should be cheerful and amusing",
]


def item(number, goal, aspects, question, answer, target):
    prompt = f"{OPENING}{goal} considering these aspects: {'; '.join(aspects)} | Context: {question} | Answer: {answer} | Edit: "
    return {"id": number, "conversations": [{"from": "human", "value": prompt}, {"from": "gpt", "value": target}]}


better, equal = [], []
csv.field_size_limit(1 << 30)
with open(sys.argv[1], encoding="utf-8", newline="") as file:
    for row in csv.DictReader(file):
        prompt, chosen, rejected = row["prompt"], row["chosen_response"], row["rejected_response"]
        signs = [float(row[f"chosen_score{i}"]) - float(row[f"rejected_score{i}"]) for i in (1, 2, 3)]
        up = [aspect for aspect, sign in zip(ASPECTS, signs) if sign > 0]
        down = [aspect for aspect, sign in zip(ASPECTS, signs) if sign < 0]
        tied = [aspect for aspect, sign in zip(ASPECTS, signs) if sign == 0]
        for aspects, answer, target in ((up, rejected, chosen), (down, chosen, rejected)):
            if aspects:
                random.shuffle(aspects)
                better.append(item(len(better) + len(equal), "improve it", aspects, prompt, answer, target))
        if tied:
            equal.append(item(len(better) + len(equal), "make it equal", tied, prompt, rejected, chosen))
random.shuffle(better)
directory = Path(sys.argv[2])
for name, items in (("no_equal/val", better[:15000]), ("no_equal/train", better[15000:]), ("all_equal/train", equal)):
    path = directory / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        json.dump(items, file, ensure_ascii=False)
print(len(better), len(equal))
