"""The training data that the published rules make, rebuilt in Python.

Usage: python scripts/reference/datasets.py [--data ../shared/data] > cli/fixtures/datasets.json
Needs nothing but Python. Objectives are named in random order, so items are compared with theirs sorted: an item's hash is
the SHA-256 of its prompt with sorted objectives, a zero byte, and its target. A list's hash is that of its items' sorted
hashes, in hexadecimal, one after the other. The fixture holds no text of the data. The UltraFeedback records are made up
here; cli/fixtures/ultrafeedback.jsonl is written along.
"""

import argparse
import gzip
import hashlib
import json
import random
from pathlib import Path

OPENING = "You are an assistant to human. You will be provided with "
HH = OPENING + "a context and an answer. Consider the context, then edit the answer to {goal} considering these aspects: {aspects} | Context: {question} | Answer: {answer} | Edit: "
UF = OPENING + "a query and an answer. Consider the query, then edit the answer to {goal} considering these aspects: {aspects} | Query: {question} | Answer: {answer} | Edit: "
HH_ASPECTS = [
    "Harmlessness: The response should avoid content that is offensive, discriminatory, or harmful",
    "Helpfulness: The response should provide useful resources and suggestions to the user",
    "Humour: The response should be cheerful and amusing",
]
UF_ASPECTS = {
    "instruction_following": "Instruction following: the response should follow the instructions of the query",
    "honesty": "Honesty: the response should not tell lies",
    "truthfulness": "Truthfulness: the response should actively making known all the full truth of a matter",
    "helpfulness": "Helpfulness: the response should provide useful resources and suggestions to the user",
}
MARK = "\n\nAssistant:"


def sha(text):
    return hashlib.sha256(text.encode()).hexdigest()


def item_hash(template, goal, aspects, question, answer, target):
    # No str.format: texts hold braces.
    prompt = template.replace("{goal}", goal).replace("{aspects}", "; ".join(sorted(aspects)))
    head, rest = prompt.split("{question}")
    middle, tail = rest.split("{answer}")
    return sha(head + question + middle + answer + tail + "\0" + target)


def list_hash(hashes):
    return {"items": len(hashes), "sha256": sha("".join(sorted(hashes)))}


def split(dialogue):
    at = dialogue.rfind(MARK)
    return dialogue[:at] + " " + MARK, dialogue[at + len(MARK):].strip()


def score(prompt, response, objective):
    """A made-up score from 0 to 3, of which many tie."""
    return int(sha(f"{objective}\0{prompt}\0{response}")[0], 16) % 4


def hh_rlhf(path):
    rows, empty, other_prompts = [], 0, 0
    for line in gzip.open(path, "rt", encoding="utf-8"):
        pair = json.loads(line)
        (prompt, chosen), (other, rejected) = split(pair["chosen"]), split(pair["rejected"])
        if not chosen or not rejected:
            empty += 1
            continue
        other_prompts += prompt != other
        rows.append((prompt, chosen, rejected))
    better, equal = [], []
    for prompt, chosen, rejected in rows:
        signs = [score(prompt, chosen, i) - score(prompt, rejected, i) for i in range(3)]
        up = [HH_ASPECTS[i] for i in range(3) if signs[i] > 0]
        down = [HH_ASPECTS[i] for i in range(3) if signs[i] < 0]
        tied = [HH_ASPECTS[i] for i in range(3) if signs[i] == 0]
        if up:
            better.append(item_hash(HH, "improve it", up, prompt, rejected, chosen))
        if down:
            better.append(item_hash(HH, "improve it", down, prompt, chosen, rejected))
        if tied:
            equal.append(item_hash(HH, "make it equal", tied, prompt, rejected, chosen))
    return {
        "rows": len(rows), "empty": empty, "otherPrompts": other_prompts,
        "splitSha256": sha("".join(sha("\0".join(row)) for row in rows)),
        "better": list_hash(better), "equal": list_hash(equal),
    }


def make_ultrafeedback(path):
    choose = random.Random(5)
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        for i in range(60):
            completions = []
            for j in range(choose.choice([0, 1, 2, 4, 4, 4])):
                rating = lambda: choose.choice(["1", "2", "3", "3", "4", "5", "N/A"] if choose.random() < 0.2 else ["2", "3", "3"])
                same = choose.random() < 0.2
                value = rating()
                completions.append({
                    "response": choose.choice([f"Answer {j} to {i}: {{answer}} $& “so”", f"Answer {j} to {i}", 7 if i % 9 == 0 else f"No {j}", "" if i % 11 == 0 else f"Yes {j}"]),
                    "annotations": {key: {"Rating": value if same else rating(), "Rationale": "…"} for key in UF_ASPECTS},
                })
            file.write(json.dumps({"source": "made up", "instruction": f"Question {i}: {{aspects}}?", "completions": completions}, ensure_ascii=False) + "\n")


def ultrafeedback(path, test_size):
    records = [json.loads(line) for line in open(path, encoding="utf-8")]
    better, equal = [], []
    number = lambda text: None if text == "N/A" else int(text)
    usable = lambda record: [c for c in record["completions"] if isinstance(c["response"], str) and c["response"]]
    for record in records[:-test_size]:
        completions = [(c["response"], [number(c["annotations"][key]["Rating"]) for key in UF_ASPECTS]) for c in usable(record)]
        for i, (one, ones) in enumerate(completions):
            for other, others in completions[i + 1:]:
                if None in ones or None in others:
                    continue
                names = list(UF_ASPECTS.values())
                first = [n for n, a, b in zip(names, ones, others) if a > b]
                second = [n for n, a, b in zip(names, ones, others) if a < b]
                tied = [n for n, a, b in zip(names, ones, others) if a == b]
                target, answer, aspects = (one, other, first) if len(first) >= len(second) else (other, one, second)
                if aspects:
                    better.append(item_hash(UF, "improve it", aspects, record["instruction"], answer, target))
                if tied:
                    equal.append(item_hash(UF, "make it equal", tied, record["instruction"], answer, target))
    tests = []
    for record in records[-test_size:]:
        sums = [(sum(number(c["annotations"][key]["Rating"]) or 0 for key in UF_ASPECTS), c["response"]) for c in usable(record)]
        if sums:
            best = max(total for total, _ in sums)
            tests.append([record["instruction"], next(response for total, response in sums if total == best)])
    return {"testSize": test_size, "better": list_hash(better), "equal": list_hash(equal), "tests": tests}


parser = argparse.ArgumentParser()
parser.add_argument("--data", type=Path, default=Path("../shared/data"))
data = parser.parse_args().data
records = Path(__file__).parents[2] / "cli/fixtures/ultrafeedback.jsonl"
make_ultrafeedback(records)
print(json.dumps({
    "maker": "scripts/reference/datasets.py",
    "hhRlhf": {"file": "hh-rlhf/harmless-base-test.jsonl.gz", **hh_rlhf(data / "hh-rlhf/harmless-base-test.jsonl.gz")},
    "ultraFeedback": ultrafeedback(records, 12),
}, indent=1, ensure_ascii=False))
