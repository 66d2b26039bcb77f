"""Trains the demo aligner from nothing: python training/train.py

Writes into --out: tokenizer.json, checkpoint.pt (every --save-every steps), loss.csv, and at the end the Hugging Face
folder hf/ that the converter reads. Everything follows from --seed; a stopped run goes on with --resume and gives the
same batches.
"""

import argparse
import csv
import random
import time
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional as F

from examples import OTHER, Case, Generator
from export import export_folder
from model import Aligner, ModelShape
from muon import Muon
from prompts import build_prompt, fixed_pieces
from start import start_by_copying
from tokenization import BOS_ID, EOS_ID, train_tokenizer

BATCHES_PER_POOL = 16


def read_arguments() -> argparse.Namespace:
    here = Path(__file__).parent
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--out", type=Path, default=here / "out")
    parser.add_argument("--seed", type=int, default=2)
    parser.add_argument("--steps", type=int, default=3300)
    parser.add_argument("--tokens", type=int, default=4096, help="tokens in a batch, padding included")
    parser.add_argument("--lr", type=float, default=0.0003, help="Muon's")
    parser.add_argument("--lr-others", type=float, default=0.0007, help="AdamW's: embedding, head and norms")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--vocabulary", type=int, default=1280)
    parser.add_argument("--eager", action="store_true", help="without torch.compile, which needs a C++ compiler")
    parser.add_argument("--save-every", type=int, default=100)
    parser.add_argument("--resume", action="store_true")
    return parser.parse_args()


# --- data ------------------------------------------------------------------------------------------------------------


def curriculum(part: float, random_: random.Random) -> int:
    """Most sentences of a case, after a part (0 to 1) of the training: short ones hold more decisions for each token."""
    if part < 0.15:
        return 2
    return random_.choices([2, 4, 8, 16], [0.4, 0.48, 0.1, 0.02])[0]


RANDOM_COPY_SHARE = 0.08
"""Share of examples that copy random tokens: the widest test of copying."""
WILD_SHARE = 0.06
"""Share of examples with long texts whose phrases come again."""


class Batches:
    """Batches of like lengths. Batch i depends on the seed and i alone."""

    def __init__(self, tokenizer: Tokenizer, seed: int, tokens: int, steps: int):
        self.tokenizer, self.seed, self.tokens, self.steps = tokenizer, seed, tokens, steps
        self.pool_index, self.pool = -1, []
        fixed = {tokenizer.token_to_id(piece) for piece in fixed_pieces()} | {BOS_ID, EOS_ID}
        self.text_ids = [id_ for id_ in range(tokenizer.get_vocab_size()) if id_ not in fixed]

    def batch(self, step: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """ids, positions [batch, length]; wanted [count], flat indices with a loss; targets [count]."""
        if step // BATCHES_PER_POOL != self.pool_index:
            self.pool_index = step // BATCHES_PER_POOL
            self.pool = self.make_pool(step)
        random_ = random.Random(f"{self.seed} gaps {step}")
        return collate(self.pool[step % BATCHES_PER_POOL], random_)

    def make_pool(self, step: int) -> list[list[tuple[list[int], list[int]]]]:
        generator = Generator(f"{self.seed} pool {self.pool_index}")
        random_ = random.Random(f"{self.seed} order {self.pool_index}")
        pairs: list[tuple[list[int], list[int]]] = []
        total = 0
        while total < self.tokens * BATCHES_PER_POOL * 1.1:
            cases, copies = [], []
            for kind in random_.choices("cwr", [1 - WILD_SHARE - RANDOM_COPY_SHARE, WILD_SHARE, RANDOM_COPY_SHARE], k=64):
                if kind == "r":
                    copies.append(self.random_copy(generator))
                else:
                    cases.append(generator.wild_case() if kind == "w" else generator.case(curriculum(step / self.steps, random_)))
            for prompt, edit in encode_cases(self.tokenizer, cases) + copies:
                if len(prompt) + len(edit) <= min(2048, self.tokens // 2):
                    pairs.append((prompt, edit))
                    total += len(prompt) + len(edit)
        random_.shuffle(pairs)
        pairs.sort(key=lambda pair: (len(pair[0]) + len(pair[1])) // 8)
        batches: list[list[tuple[list[int], list[int]]]] = [[]]
        for pair in pairs:
            if (len(batches[-1]) + 1) * (len(pair[0]) + len(pair[1])) > self.tokens:
                batches.append([])
            batches[-1].append(pair)
        random_.shuffle(batches)
        return batches[:BATCHES_PER_POOL]

    def random_copy(self, generator: Generator) -> tuple[list[int], list[int]]:
        """Any tokens as the answer, often few different ones, so that only a longer match tells the next."""
        random_ = generator.random
        objective = random_.choice([generator.custom_objective(), random_.choice(OTHER)])
        frame = self.tokenizer.encode(build_prompt([objective], "", "")).ids
        count = random_.randint(3, 40 if random_.random() < 0.8 else 200)
        pool = random_.choices(self.text_ids, k=count if random_.random() < 0.5 else max(3, count // 3))
        answer = random_.choices(pool, k=count) if len(pool) < count else pool
        return frame[:-1] + answer + frame[-1:], answer + [EOS_ID]


def encode_cases(tokenizer: Tokenizer, cases: list[Case]) -> list[tuple[list[int], list[int]]]:
    prompts = tokenizer.encode_batch([case.prompt() for case in cases])
    edits = tokenizer.encode_batch([case.edit for case in cases], add_special_tokens=False)
    return [(prompt.ids, edit.ids + [EOS_ID]) for prompt, edit in zip(prompts, edits)]


def collate(pairs: list[tuple[list[int], list[int]]], gaps: random.Random | None) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Pads on the right. With `gaps` half of the edits stand a random distance after their prompt, so that short
    examples teach long reaches too."""
    length = max(len(prompt) + len(edit) for prompt, edit in pairs) - 1
    ids = torch.full((len(pairs), length), EOS_ID)
    positions = torch.arange(length).repeat(len(pairs), 1)
    wanted, targets = [], []
    for row, (prompt, edit) in enumerate(pairs):
        sequence = torch.tensor(prompt + edit[:-1])
        ids[row, : len(sequence)] = sequence
        if gaps is not None and gaps.random() < 0.5:
            positions[row, len(prompt) - 1 :] += int(1600 ** gaps.random()) - 1
        start = row * length + len(prompt) - 1
        wanted.append(torch.arange(start, start + len(edit)))
        targets.append(torch.tensor(edit))
    return ids, positions, torch.cat(wanted), torch.cat(targets)


# --- training --------------------------------------------------------------------------------------------------------


WARM_UP_STEPS = 30
FALLS_FROM = 0.35
"""Part of the training after which the learning rate falls, in a straight line, to 0."""
ROUNDING_FROM = 0.6
"""Part of the training after which most steps see rounded weights."""


def learning_rate_share(step: int, steps: int) -> float:
    return min(1.0, (step + 1) / WARM_UP_STEPS, (1 - step / steps) / (1 - FALLS_FROM))


@torch.no_grad()
def exact_share(model: Aligner, tokenizer: Tokenizer, cases: list[Case]) -> float:
    """Share of cases whose greedy edit is the wanted one: that is so if every token is, given the wanted ones before."""
    pairs = sorted(encode_cases(tokenizer, cases), key=lambda pair: len(pair[0]) + len(pair[1]))
    right = 0
    for i in range(0, len(pairs), 16):
        group = pairs[i : i + 16]
        ids, positions, wanted, targets = collate(group, None)
        hits = model(ids, positions, wanted).argmax(-1) == targets
        right += sum(bool(part.all()) for part in hits.split([len(edit) for _, edit in group]))
    return right / len(pairs)


def main() -> None:
    options = read_arguments()
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    options.out.mkdir(parents=True, exist_ok=True)
    tokenizer_path = options.out / "tokenizer.json"
    if not (options.resume and tokenizer_path.exists()):
        train_tokenizer(options.vocabulary, options.seed).save(str(tokenizer_path))
    tokenizer = Tokenizer.from_file(str(tokenizer_path))

    shape = ModelShape(vocabulary_size=tokenizer.get_vocab_size())
    model = Aligner(shape)
    start_by_copying(model, tokenizer)
    matrices = [p for name, p in model.named_parameters() if name.startswith("layers.") and p.ndim == 2]
    others = [p for name, p in model.named_parameters() if not (name.startswith("layers.") and p.ndim == 2)]
    optimizers = [
        Muon(matrices, options.lr),
        torch.optim.AdamW(others, options.lr_others, betas=(0.9, 0.95), weight_decay=0.0, fused=True),
    ]
    base_rates = [options.lr, options.lr_others]
    first_step, tokens_seen, seconds_before = 0, 0, 0.0
    checkpoint_path, log_path = options.out / "checkpoint.pt", options.out / "loss.csv"
    if options.resume and checkpoint_path.exists():
        saved = torch.load(checkpoint_path, weights_only=False)
        model.load_state_dict(saved["model"])
        for optimizer, state in zip(optimizers, saved["optimizers"]):
            optimizer.load_state_dict(state)
        first_step, tokens_seen, seconds_before = saved["step"], saved["tokens"], saved["seconds"]
    else:
        log_path.write_text("step,tokens,seconds,loss,exact\n")
    print(f"{model.parameter_count():,} parameters, step {first_step} of {options.steps}", flush=True)

    def loss_of(ids: Tensor, positions: Tensor, wanted: Tensor, targets: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            logits = model(ids, positions, wanted)
        return F.cross_entropy(logits.float(), targets)

    compiled = torch.compile(loss_of, dynamic=True)
    batches = Batches(tokenizer, options.seed, options.tokens, options.steps)
    held_out = Generator(f"{options.seed} watch", held_out=True)
    watched = [held_out.case(4) for _ in range(160)]
    started = time.time()
    losses: list[float] = []
    for step in range(first_step, options.steps):
        bits = random.Random(f"{options.seed} bits {step}").choices([None, 4], [0.25, 0.75])[0]
        model.set_rounding(bits if step >= ROUNDING_FROM * options.steps else None)
        ids, positions, wanted, targets = batches.batch(step)
        # A compiled step is three times as fast; one row would be compiled on its own.
        loss = (compiled if len(ids) > 1 and not options.eager else loss_of)(ids, positions, wanted, targets)
        loss.backward()
        share = learning_rate_share(step, options.steps)
        for optimizer, rate in zip(optimizers, base_rates):
            for group in optimizer.param_groups:
                group["lr"] = rate * share
            optimizer.step()
            optimizer.zero_grad()
        losses.append(loss.item())
        tokens_seen += ids.numel()
        done = step + 1
        if done % 25 == 0 or done == options.steps:
            seconds = seconds_before + time.time() - started
            exact = ""
            if done % 100 == 0 or done == options.steps:
                model.set_rounding(None)
                exact = f"{exact_share(model, tokenizer, watched):.4f}"
            mean = sum(losses) / len(losses)
            losses.clear()
            with log_path.open("a", newline="") as file:
                csv.writer(file).writerow([done, tokens_seen, round(seconds), f"{mean:.5f}", exact])
            print(f"step {done} tokens {tokens_seen:,} {seconds:.0f} s loss {mean:.5f} {exact}", flush=True)
        if done % options.save_every == 0 or done == options.steps:
            state = {
                "model": model.state_dict(), "optimizers": [optimizer.state_dict() for optimizer in optimizers],
                "step": done, "tokens": tokens_seen, "seconds": seconds_before + time.time() - started, "shape": shape,
            }  # fmt: skip
            torch.save(state, checkpoint_path.with_suffix(".part"))
            checkpoint_path.with_suffix(".part").replace(checkpoint_path)
    export_folder(model, tokenizer, options.out / "hf")
    print(f"wrote {options.out / 'hf'}")


if __name__ == "__main__":
    main()
