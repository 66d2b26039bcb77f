"""Prints the table of the model card: python training/evaluate.py

--bits 4 or 8 rounds the weights to a variant's grid first. --real FILE… measures copying and repetition on CSV files
with columns query and generated_text (real answers, which are not part of this project). --fixture FILE writes held-out
cases for scripts/evaluate-demo-aligner.ts.
"""

import argparse
import csv
import json
import random
from collections import Counter
from pathlib import Path

import torch
from tokenizers import Tokenizer

from examples import make_case
from model import Aligner, LayerCache
from prompts import EDITING
from suites import make_suites
from tokenization import EOS_ID
from train import exact_share

FIXTURE_CASES = 20


@torch.no_grad()
def generate(model: Aligner, prompt: list[int], max_new_tokens: int) -> list[int]:
    """Greedy, with a cache; the end token is left out."""
    caches = [LayerCache() for _ in model.layers]
    ids, position, edit = prompt, 0, []
    for _ in range(max_new_tokens):
        positions = torch.arange(position, position + len(ids))[None]
        logits = model(torch.tensor([ids]), positions, torch.tensor([len(ids) - 1]), caches)
        position += len(ids)
        token = int(logits[0].argmax())
        if token == EOS_ID:
            break
        edit.append(token)
        ids = [token]
    return edit


def repeated_share(text: str) -> float:
    """Share of a text's 4-word sequences that stood in it before; 0 without loops."""
    words = text.split()
    grams = Counter(tuple(words[i : i + 4]) for i in range(len(words) - 3))
    total = sum(grams.values())
    return 0.0 if total == 0 else (total - len(grams)) / total


def print_real(model: Aligner, tokenizer: Tokenizer, paths: list[Path], count: int) -> None:
    csv.field_size_limit(2**31 - 1)
    for path in paths:
        rows = list(csv.DictReader(path.open(newline="", encoding="utf-8")))
        rows = random.Random(0).sample([row for row in rows if row["generated_text"].strip()], min(count, len(rows)))
        exact = loops = unfinished = cut = 0
        for i, row in enumerate(rows):
            objectives = [EDITING[i % len(EDITING)]] if i % 2 else ["honesty"]
            case = make_case(objectives, row["query"], row["generated_text"])
            prompt = tokenizer.encode(case.prompt()).ids
            room = model.shape.context_length - len(prompt)
            if room < len(tokenizer.encode(case.edit).ids):
                cut += 1
                continue
            ids = generate(model, prompt, min(room, 1024))
            edit = tokenizer.decode(ids)
            exact += edit == case.edit
            unfinished += len(ids) == min(room, 1024)
            loops += repeated_share(edit) > repeated_share(case.answer) + 0.02
        run = len(rows) - cut
        print(f"| {path.name}: {run} answers | {exact / run:.1%} exact | {loops} loops | {unfinished} without an end | {cut} too long |")


def main() -> None:
    here = Path(__file__).parent
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--out", type=Path, default=here / "out", help="folder of train.py")
    parser.add_argument("--count", type=int, default=300, help="cases a row; 0 leaves the table out")
    parser.add_argument("--bits", type=int, choices=(4, 8))
    parser.add_argument("--real", type=Path, nargs="*", default=[])
    parser.add_argument("--real-count", type=int, default=60)
    parser.add_argument("--fixture", type=Path)
    parser.add_argument("--show", type=int, default=0, help="wrong edits to print for each row")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.fixture:
        write_fixture(options.fixture)
        return

    tokenizer = Tokenizer.from_file(str(options.out / "tokenizer.json"))
    saved = torch.load(options.out / "checkpoint.pt", weights_only=False)
    model = Aligner(saved["shape"])
    model.load_state_dict(saved["model"])
    model.set_rounding(options.bits)
    print(f"step {saved['step']}, {'plain' if options.bits is None else f'{options.bits}-bit'} weights, {options.count} cases a row")
    print("| cases | exact |\n|---|---|")
    for name, cases in make_suites(options.count).items() if options.count else []:
        print(f"| {name} | {exact_share(model, tokenizer, cases):.1%} |", flush=True)
        shown = 0
        for case in cases if options.show else []:
            edit = tokenizer.decode(generate(model, tokenizer.encode(case.prompt()).ids, 400))
            if edit != case.edit and shown < options.show:
                shown += 1
                print(f"  {case.objectives}\n  answer {case.answer!r}\n  wanted {case.edit!r}\n  given  {edit!r}")
    if options.real:
        print_real(model, tokenizer, options.real, options.real_count)


def write_fixture(path: Path) -> None:
    suites = {
        name: [
            {"objectives": case.objectives, "template": case.template, "promptStyle": "vicuna" if case.vicuna else "bare",
             "context": case.context, "answer": case.answer, "edit": case.edit}
            for case in cases
        ]
        for name, cases in make_suites(FIXTURE_CASES).items()
    }  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"maker": "training/evaluate.py --fixture", "suites": suites}, ensure_ascii=False, indent=1) + "\n")


if __name__ == "__main__":
    main()
