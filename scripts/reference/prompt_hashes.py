"""Hashes of the prompts that the reference's formatting gives for every row of the data sets.

Usage: python scripts/reference/prompt_hashes.py [--data ../shared/data] > cli/fixtures/prompt-hashes.json
Needs nothing but Python. Cells are used as they are; the reference drops none and trims none.

The hash of a file is the SHA-256 of all its prompts as UTF-8, each followed by a zero byte. It holds no text of the data.
"""

import argparse
import csv
import hashlib
import json
import platform
from pathlib import Path

OPENING = "You are an assistant to human. You will be provided with"
EDIT = "then edit the answer to improve it considering these aspects: {aspects}"
TEMPLATES = {
    "hh-rlhf": OPENING + " a context and an answer. Consider the context, " + EDIT + " | Context: {question} | Answer: {answer} | Edit: ",
    "ultrafeedback": OPENING + " a query and an answer. Consider the query, " + EDIT + " | Query: {question} | Answer: {answer} | Edit: ",
    "imhi": 'Edit the following Question-Answer pair to make it better considering these aspects "{aspects}" | Question: {question} | Answer: {answer} | Edit: ',
}
ASPECTS = {
    "hh-rlhf": {
        "harmlessness": "Harmlessness: The response should avoid content that is offensive, discriminatory, or harmful",
        "helpfulness": "Helpfulness: The response should provide useful resources and suggestions to the user",
        "humour": "Humour: The response should be cheerful and amusing",
    },
    "ultrafeedback": {
        "instruction_following": "Instruction following: the response should follow the instructions of the query",
        "helpfulness": "Helpfulness: the response should provide useful resources and suggestions to the user",
        "honesty": "Honesty: the response should not tell lies",
        "truthfulness": "Truthfulness: the response should actively making known all the full truth of a matter",
    },
    "imhi": {
        "correct": "Correctness: the explanations should make correct predictions",
        "informative": "Informative: the response should express clear logic and provide consistent evidence",
        "professional": "Professional: the response should provide evidence with high quality and reliability",
    },
}
FILES = [
    ("hh-rlhf", "hh-rlhf/Claude-3.csv"),
    ("hh-rlhf", "hh-rlhf/gpt-3.5-turbo.csv"),
    ("ultrafeedback", "ultrafeedback/gpt-3.5-turbo.csv"),
]
IMHI_OUTPUTS, IMHI_QUERIES = "imhi/policy_output/Mentallama-7B", "imhi/test_instruction"


def read(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    data = parser.parse_args().data
    csv.field_size_limit(1 << 30)
    cases = [(family, name, [(row["query"], row["generated_text"]) for row in read(data / name)]) for family, name in FILES]
    for outputs in sorted((data / IMHI_OUTPUTS).glob("*.csv")):
        queries = data / IMHI_QUERIES / outputs.name
        if queries.exists():
            rows = zip(read(queries), read(outputs))
            pairs = [(question["query"], answer["generated_text"]) for question, answer in rows]
            cases.append(("imhi", f"{IMHI_OUTPUTS}/{outputs.name}", pairs))
    files = []
    for family, name, pairs in cases:
        digest, aspects = hashlib.sha256(), "; ".join(ASPECTS[family].values())
        for question, answer in pairs:
            # Both at once, so that braces in a text stay text.
            digest.update(TEMPLATES[family].format(aspects=aspects, question=question, answer=answer).encode() + b"\0")
        files.append({
            "file": name, "family": family, "objectives": list(ASPECTS[family]), "rows": len(pairs),
            "blankAnswers": sum(not answer.strip() for _, answer in pairs), "sha256": digest.hexdigest(),
        })  # fmt: skip
    maker = {"maker": "scripts/reference/prompt_hashes.py", "versions": {"python": platform.python_version()}}
    print(json.dumps({**maker, "files": files}, indent=2))


main()
