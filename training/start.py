"""The first weights: a network that copies its answer before any training.

Copying takes three steps, and gradient descent finds them late: "which tokens stood before me", "am I in the answer",
"where in the answer did the last tokens stand". They are written into the first three layers here, with random codes for
the tokens. Training then changes every weight; it sharpens the copying and learns when an edit departs from it. What
the rules edit is not written here, only which tokens are objectives, topic keywords and marks of the frame.

The hidden vector starts out in parts: the token's code, pieces of the codes of the four tokens before it, marks, and the
code of the token to write.
"""

import torch
from tokenizers import Tokenizer
from torch import Tensor

import words
from model import Aligner, rotate
from prompts import ANSWER_MARK, DESCRIPTIONS, EDIT_MARK, EDITING, TEMPLATES, ULTRAFEEDBACK_HELPFULNESS
from tokenization import BOS_ID, EOS_ID

CODE = slice(0, 64)
BEFORE = [slice(64, 104), slice(104, 132), slice(132, 152), slice(152, 168)]
"""Codes of the tokens 1 to 4 back, cut to these sizes: the first elements of the rotated code."""
CONSTANT, IN_ANSWER, IN_EDIT, IS_EDIT_MARK, IS_ANSWER_MARK, IS_CONTEXT_MARK = range(168, 174)
OBJECTIVES, IS_OBJECTIVE, IS_KEYWORD, TOPICS = slice(174, 180), 180, 181, slice(182, 194)
IS_SENTENCE_END, EDIT_SHARE = 194, 195
REPLACED, COPIED_REPLACED = slice(196, 198), slice(198, 200)
OUTPUT = slice(200, 256)

CODE_NORM = 8.0
MARK = 4.0
FAST_PAIRS = 6
# Rotary pairs that turn by less than a radian over a thousand tokens: what is matched there is matched at any distance.
FIRST_SLOW_PAIR = 12
RECENCY_PAIRS = (7, 8)


def orthogonal(rows: int, columns: int) -> Tensor:
    """Orthonormal rows, at random."""
    return torch.linalg.qr(torch.randn(columns, columns))[0][:rows].contiguous()


@torch.no_grad()
def start_by_copying(model: Aligner, tokenizer: Tokenizer) -> None:
    size, half = model.shape.head_dim, model.shape.head_dim // 2
    write_embedding(model, tokenizer)
    turn = orthogonal(64, 64)
    for layer in model.layers[:3]:
        for linear in (layer.q, layer.k, layer.v, layer.o):
            linear.weight.mul_(0.3)
    slow = [pair + offset for pair in range(FIRST_SLOW_PAIR, half) for offset in (0, half)]

    # Layer 1: head h looks h + 1 tokens back. The fast rotary pairs turn a constant into a peak at that distance.
    layer, peak = model.layers[0], 9.0 / MARK * 0.56
    direction = torch.zeros(size)
    direction[:FAST_PAIRS] = direction[half : half + FAST_PAIRS] = peak / 2**0.5
    for head, part in enumerate(BEFORE):
        rows = slice(head * size, (head + 1) * size)
        angles = -(head + 1) * torch.cat((model.frequencies, model.frequencies))
        layer.q.weight[rows], layer.k.weight[rows] = 0, 0
        layer.q.weight[rows, CONSTANT] = rotate(direction[None], angles.cos(), angles.sin())[0]
        layer.k.weight[rows, CONSTANT] = direction
        mix = orthogonal(64, 64)
        layer.v.weight[rows, CODE] += mix
        layer.o.weight[part, rows] += 0.56 * (turn @ mix.T)[: part.stop - part.start]

    # Layer 2: head 0 finds the last mark of the frame, head 1 the objectives, head 2 keywords of topics.
    layer, steady = model.layers[1], slow[-8:]

    def look_for(head: int, marks: dict[int, float], copied: dict[int, int], write: float) -> None:
        rows = [head * size + i for i in steady]
        layer.q.weight[head * size : (head + 1) * size] *= 0.3
        layer.k.weight[head * size : (head + 1) * size] *= 0.3
        layer.q.weight[rows, CONSTANT] += 0.8
        for mark, strength in marks.items():
            layer.k.weight[rows, mark] += 0.8 * strength
        for i, (read, written) in enumerate(copied.items()):
            layer.v.weight[head * size + i, read] += 1
            layer.o.weight[written, head * size + i] += write

    look_for(0, {IS_CONTEXT_MARK: 1, IS_ANSWER_MARK: 2, IS_EDIT_MARK: 3}, {IS_ANSWER_MARK: IN_ANSWER, IS_EDIT_MARK: IN_EDIT}, 1.5)
    # The start token takes most of head 1, so that an objective's share hardly depends on how many there are.
    look_for(1, {IS_OBJECTIVE: 1}, {}, 0)
    for i in range(60):
        objective = OBJECTIVES.start + i % len(EDITING)
        layer.v.weight[size + i, objective] += 1.2
        layer.o.weight[objective, size + i] += 1.0
    look_for(2, {IS_KEYWORD: 1}, {i: i for i in range(TOPICS.start, TOPICS.stop)}, 1.5)

    # Layer 3: heads 0 to 2 look for the place in the answer that the last four tokens of the text stand before. Of equal
    # places they prefer the later one: slightly, and more where repeated sentences have to go.
    layer = model.layers[2]
    layer.attention_norm.weight.fill_(3.0)
    repeat = OBJECTIVES.start + EDITING.index("repeat")
    for head in range(3):
        base, at = head * size, 2
        for i in range(4):
            count, strength = (13, 10, 8, 7)[i], (1.15, 1.1, 1.05, 1.0)[i]
            rows = [base + j for j in slow[at : at + count]]
            at += count
            width = BEFORE[i].stop - BEFORE[i].start
            chosen = orthogonal(count, width) * strength * 1.1
            if i == 0:
                layer.q.weight[rows, CODE] += chosen @ turn[:width]
            else:
                layer.q.weight[rows, BEFORE[i - 1].start : BEFORE[i - 1].start + width] += chosen
            layer.k.weight[rows, BEFORE[i]] += chosen
        rows = [base + j for j in slow[:2]]
        layer.q.weight[rows, CONSTANT] += 0.6
        layer.k.weight[rows, IN_ANSWER] += 0.6
        layer.k.weight[rows, IS_EDIT_MARK] += 0.8
        for pair in RECENCY_PAIRS:
            # -sin(angle): falls with the distance.
            layer.q.weight[base + pair, CONSTANT] += 0.15
            layer.q.weight[base + pair, repeat] += 0.5
            layer.k.weight[base + half + pair, CONSTANT] -= 0.8
        mix = orthogonal(64, 64)
        layer.v.weight[base : base + size, CODE] += mix * 0.5
        for i in range(2):
            direction = orthogonal(1, 64)[0]
            layer.v.weight[base : base + size, REPLACED.start + i] += direction * 0.5
            layer.o.weight[COPIED_REPLACED.start + i, base : base + size] += direction
        layer.o.weight[OUTPUT, base : base + size] += 0.5 * mix.T[:56]
    # Head 3 counts the edit's sentences: it looks at their ends and at the edit's mark alike, and tells the mark's share.
    rows = [3 * size + i for i in steady]
    layer.q.weight[rows, CONSTANT] += 0.5
    layer.k.weight[rows, IS_SENTENCE_END] += 0.3
    layer.k.weight[rows, IN_EDIT] += 0.2
    layer.k.weight[rows, IS_EDIT_MARK] += 0.3
    layer.v.weight[3 * size, IS_EDIT_MARK] += 0.5
    layer.o.weight[EDIT_SHARE, 3 * size] += 1.5
    model.head[:, OUTPUT] = 1.7 / CODE_NORM * model.embedding[:, CODE][:, :56]
    model.head[EOS_ID, OUTPUT] = 1.7 / CODE_NORM * model.embedding[tokenizer.token_to_id(EDIT_MARK), CODE][:56]


def write_embedding(model: Aligner, tokenizer: Tokenizer) -> None:
    embedding, id_of = model.embedding, tokenizer.token_to_id
    embedding.mul_(0.2)
    codes = torch.randn(embedding.shape[0], 64)
    answer_mark, edit_mark = id_of(ANSWER_MARK), id_of(EDIT_MARK)
    codes[edit_mark] = codes[answer_mark] + 0.5 * codes[edit_mark]
    # A word that a rule replaces and the one it becomes share a code but for one direction, the same for all words of a
    # rule: the step from the one to the other is then one decision, not one for each word.
    codes /= codes.norm(dim=1, keepdim=True)
    steps = orthogonal(2, 64)
    capitals = {word.capitalize(): easy.capitalize() for word, easy in words.EASY_WORDS.items()}
    for rule, pairs in enumerate((words.EASY_WORDS | capitals, words.SOFT_WORDS | words.SAFE_WORDS)):
        for before in (" ", ""):
            for word, instead in pairs.items():
                id_, instead_id = id_of(before + word), id_of(before + instead)
                if id_ is None or instead_id is None:
                    continue
                codes[id_] = 0.75 * codes[instead_id] + 0.6 * codes[id_]
                embedding[id_, REPLACED.start + rule] = MARK
                codes[id_] += 0.6 * steps[rule]
        for instead_id in {id_of(" " + instead) for instead in pairs.values()}:
            codes[instead_id] -= 0.4 * steps[rule]
    embedding[:, CODE] = codes / codes.norm(dim=1, keepdim=True) * CODE_NORM
    embedding[:, CONSTANT] = MARK
    embedding[edit_mark, IS_EDIT_MARK] = embedding[answer_mark, IS_ANSWER_MARK] = MARK
    for mark in ".!?":
        embedding[id_of(mark), IS_SENTENCE_END] = MARK
    for _, mark in TEMPLATES.values():
        embedding[id_of(mark), IS_CONTEXT_MARK] = MARK
    embedding[BOS_ID, IS_OBJECTIVE], embedding[BOS_ID, IS_KEYWORD] = 1.15 * MARK, MARK / 2
    for i, key in enumerate(EDITING):
        for text in {DESCRIPTIONS[key]} | ({ULTRAFEEDBACK_HELPFULNESS} if key == "helpfulness" else set()):
            embedding[id_of(text), OBJECTIVES.start + i] = embedding[id_of(text), IS_OBJECTIVE] = MARK
    for i, (keywords, _, _) in enumerate(words.TOPICS.values()):
        for word in keywords.split():
            id_ = id_of(" " + word)
            embedding[id_, TOPICS.start + i] = embedding[id_, IS_KEYWORD] = MARK
