"""The first weights: a network that copies its answer before any training.

Copying takes three steps, and gradient descent finds them late: "which tokens stood before me", "am I in the answer",
"where in the answer did the last tokens stand". They are written into the first three layers here, with random codes for
the tokens. Training then changes every weight; it sharpens the copying and learns when an edit departs from it. What
the rules edit is not written here, only which tokens are objectives, topic keywords and marks of the frame, and that a
sentence's end under Repetition is a place of its own.

The hidden vector starts out in parts: the token's code, pieces of the codes of the tokens before it, marks, and the
code of the token to write.
"""

from dataclasses import dataclass

import torch
from tokenizers import Tokenizer
from torch import Tensor

import words
from model import Aligner, Layer
from prompts import ANSWER_MARK, DESCRIPTIONS, EDIT_MARK, EDITING, TEMPLATES, ULTRAFEEDBACK_HELPFULNESS
from tokenization import BLANK, BOS_ID, EOS_ID


@dataclass(frozen=True)
class Past:
    """What one head tells of the tokens `nearest` to `farthest` back: the sum of their codes, cut to its first elements."""

    layer: int
    head: int
    nearest: int
    farthest: int
    part: slice
    """Where the hidden vector holds it."""
    match_size: int
    """Elements of a head's query and key that compare it."""
    match_strength: float

    @property
    def width(self) -> int:
        return self.part.stop - self.part.start


CODE = slice(0, 64)
# Three tokens one by one, then two windows without their order: text that says the same few tokens again elsewhere is
# told apart by what stood farther back. On real answers the last four tokens fix the place of 98.4 % of the tokens, the
# last twelve of 99.97 %.
PASTS = (
    Past(0, 0, 1, 1, slice(64, 92), 11, 1.3),
    Past(0, 1, 2, 2, slice(92, 116), 8, 1.2),
    Past(0, 2, 3, 3, slice(116, 132), 6, 1.1),
    Past(0, 3, 4, 9, slice(132, 150), 7, 1.0),
    Past(1, 3, 10, 24, slice(150, 167), 6, 1.0),
)
*_, NEAR, FAR = PASTS
AT_REPEATED_END = 167
CONSTANT, IN_ANSWER, IN_EDIT, IS_EDIT_MARK, IS_ANSWER_MARK, IS_CONTEXT_MARK = range(168, 174)
OBJECTIVES, IS_OBJECTIVE, IS_KEYWORD, TOPICS = slice(174, 180), 180, 181, slice(182, 194)
IS_SENTENCE_END, EDIT_SHARE = 194, 195
REPLACED, COPIED_REPLACED = slice(196, 198), slice(198, 200)
OUTPUT = slice(200, 256)

CODE_NORM = 8.0
MARK = 4.0
NORMED_CONSTANT = (7.1, 4.5)
"""The constant element after the norm of layers 1 and 2."""
WINDOW_PAIRS = 14
# Rotary pairs that turn by less than a radian over a thousand tokens: what is matched there is matched at any distance.
FIRST_SLOW_PAIR = 12
RECENCY_PAIRS = (9, 10)


def orthogonal(rows: int, columns: int) -> Tensor:
    """Orthonormal rows, at random."""
    return torch.linalg.qr(torch.randn(columns, columns))[0][:rows].contiguous()


def window_weights(frequencies: Tensor, nearest: int, farthest: int, context_length: int) -> tuple[Tensor, Tensor]:
    """
    Factors of cos and sin of the rotary pairs' angles, [WINDOW_PAIRS] each, whose sum over the pairs, as an attention
    score, spreads the attention evenly over the distances `nearest` to `farthest` and leaves next to nothing for others.
    """
    angles = torch.arange(context_length)[:, None] * frequencies[:WINDOW_PAIRS]
    waves = torch.cat((angles.cos(), angles.sin()), dim=1)
    factors = torch.zeros(2 * WINDOW_PAIRS, requires_grad=True)
    optimizer = torch.optim.LBFGS([factors], max_iter=600, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        shares = torch.log_softmax(waves @ factors, dim=0)
        value = 3e-5 * factors.square().sum() - shares[nearest : farthest + 1].mean()
        value.backward()
        return value

    with torch.enable_grad():
        optimizer.step(loss)
    # The scores inside the window are moved to 3 by the slowest pair, which hardly turns: what a mark adds in proportion
    # then counts inside the window alone.
    inside = (waves @ factors.detach())[nearest : farthest + 1].mean()
    return factors.detach(), 3.0 - inside


def look_back(layer: Layer, past: Past, frequencies: Tensor, context_length: int, turn: Tensor) -> None:
    size, half = layer.head_dim, layer.head_dim // 2
    rows = slice(past.head * size, (past.head + 1) * size)
    factors, offset = window_weights(frequencies, past.nearest, past.farthest, context_length)
    query, key = torch.zeros(size), torch.zeros(size)
    key[:WINDOW_PAIRS] = key[half - 1] = 1
    query[:WINDOW_PAIRS], query[half : half + WINDOW_PAIRS] = factors[:WINDOW_PAIRS], -factors[WINDOW_PAIRS:]
    query[half - 1] = offset
    is_window = past.farthest > past.nearest
    sharpness = 1.0 if is_window else 3.0
    for weight in (layer.q.weight, layer.k.weight):
        weight[rows] *= 0.3
        weight[rows, CONSTANT] = 0
    layer.q.weight[rows, CONSTANT] = query * sharpness * size**0.5 / NORMED_CONSTANT[past.layer] ** 2
    layer.k.weight[rows, CONSTANT] = key
    if is_window:
        # At the start of an edit a window reaches into the answer's end, and at that of the answer into the context:
        # a mark in it draws most of the attention.
        layer.k.weight[rows, IS_EDIT_MARK] = layer.k.weight[rows, IS_ANSWER_MARK] = 0.5 * key
    mix = orthogonal(64, 64)
    layer.v.weight[rows, CODE] += mix
    # A mean of n codes is shorter than a code.
    length = (past.farthest - past.nearest + 1) ** 0.5
    layer.o.weight[past.part, rows] += 0.56 * length * (turn @ mix.T)[: past.width]


@torch.no_grad()
def start_by_copying(model: Aligner, tokenizer: Tokenizer) -> None:
    size, half = model.shape.head_dim, model.shape.head_dim // 2
    write_embedding(model, tokenizer)
    turn = orthogonal(64, 64)
    for layer in model.layers[:3]:
        for linear in (layer.q, layer.k, layer.v, layer.o):
            linear.weight.mul_(0.3)
    slow = [pair + offset for pair in range(FIRST_SLOW_PAIR, half) for offset in (0, half)]

    # Layer 1: each head looks a number of tokens back, and so does head 3 of layer 2.
    for past in PASTS:
        look_back(model.layers[past.layer], past, model.frequencies, model.shape.context_length, turn)

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
    look_for(1, {IS_OBJECTIVE: 0.5}, {}, 0)
    layer.v.weight[size : 2 * size] *= 0.1
    for i in range(60):
        objective = OBJECTIVES.start + i % len(EDITING)
        layer.v.weight[size + i, objective] += 1.2
        layer.o.weight[objective, size + i] += 0.6
    look_for(2, {IS_KEYWORD: 1}, {i: i for i in range(TOPICS.start, TOPICS.stop)}, 1.5)

    # Its inner layer: where a sentence ends and Repetition is asked for, the places after a sentence and after its second
    # copy look alike but for what stood farther back. There the far window becomes the near one, as if the sentence
    # stood before itself.
    first, repeat = 0, OBJECTIVES.start + EDITING.index("repeat")
    units = slice(first, first + FAR.width + 1)
    layer.gate.weight[units] = layer.up.weight[units] = layer.down.weight[:, units] = 0
    layer.gate.weight[units, repeat] = layer.gate.weight[units, IS_SENTENCE_END] = 2.0
    layer.gate.weight[units, CONSTANT] = -3.0
    for i in range(FAR.width):
        layer.up.weight[first + i, FAR.part.start + i], layer.up.weight[first + i, NEAR.part.start + i] = 1, -1
        layer.down.weight[FAR.part.start + i, first + i] = -0.22
    layer.up.weight[units.stop - 1, CONSTANT], layer.down.weight[AT_REPEATED_END, units.stop - 1] = 1, 0.22

    # Layer 3: heads 0 to 2 look for the place in the answer that the last tokens of the text stand before. Where repeated
    # sentences have to go they prefer a later place at a sentence's end.
    layer = model.layers[2]
    layer.attention_norm.weight.fill_(3.0)
    for head in range(3):
        base, at, before = head * size, 2, CODE
        for past in PASTS:
            rows = [base + j for j in slow[at : at + past.match_size]]
            at += past.match_size
            chosen = orthogonal(past.match_size, past.width) * past.match_strength * 1.1
            # The token to write comes one later than the last one: a single token is compared with the one before it.
            # A window stands for itself.
            if past.farthest > past.nearest:
                layer.q.weight[rows, past.part] += chosen
            elif before is CODE:
                layer.q.weight[rows, CODE] += chosen @ turn[: past.width]
            else:
                layer.q.weight[rows, before.start : before.start + past.width] += chosen
            layer.k.weight[rows, past.part] += chosen
            before = past.part
        rows = [base + j for j in slow[:2]]
        layer.q.weight[rows, CONSTANT] += 0.6
        layer.k.weight[rows, IN_ANSWER] += 0.6
        layer.k.weight[rows, IS_EDIT_MARK] += 1.2
        for pair in RECENCY_PAIRS:
            # -sin(angle): falls with the distance.
            layer.q.weight[base + pair, AT_REPEATED_END] += 1.0
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
    model.head[[tokenizer.token_to_id(mark) for mark in (ANSWER_MARK, EDIT_MARK)], OUTPUT] = 0
    model.head[EOS_ID, OUTPUT] = 1.7 / CODE_NORM * model.embedding[tokenizer.token_to_id(EDIT_MARK), CODE][:56]


def write_embedding(model: Aligner, tokenizer: Tokenizer) -> None:
    embedding, id_of = model.embedding, tokenizer.token_to_id
    id_of_word = lambda word: id_of(word.replace(" ", BLANK))
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
                id_, instead_id = id_of_word(before + word), id_of_word(before + instead)
                if id_ is None or instead_id is None:
                    continue
                codes[id_] = 0.75 * codes[instead_id] + 0.6 * codes[id_]
                embedding[id_, REPLACED.start + rule] = MARK
                codes[id_] += 0.6 * steps[rule]
        for instead_id in {id_of_word(" " + instead) for instead in pairs.values()}:
            codes[instead_id] -= 0.4 * steps[rule]
    embedding[:, CODE] = codes / codes.norm(dim=1, keepdim=True) * CODE_NORM
    # The marks of the frame are strong, so that an answer's first words are found by them.
    embedding[[answer_mark, edit_mark], CODE] *= 1.5
    embedding[:, CONSTANT] = MARK
    embedding[edit_mark, IS_EDIT_MARK] = embedding[answer_mark, IS_ANSWER_MARK] = MARK
    for mark in ".!?":
        embedding[id_of(mark), IS_SENTENCE_END] = MARK
    for _, mark in TEMPLATES.values():
        embedding[id_of(mark), IS_CONTEXT_MARK] = MARK
    embedding[BOS_ID, IS_OBJECTIVE], embedding[BOS_ID, IS_KEYWORD] = 1.2 * MARK, MARK / 2
    for i, key in enumerate(EDITING):
        for text in {DESCRIPTIONS[key]} | ({ULTRAFEEDBACK_HELPFULNESS} if key == "helpfulness" else set()):
            embedding[id_of(text), OBJECTIVES.start + i] = embedding[id_of(text), IS_OBJECTIVE] = MARK
    for i, (keywords, _, _) in enumerate(words.TOPICS.values()):
        for word in keywords.split():
            id_ = id_of(" " + word)
            embedding[id_, TOPICS.start + i] = embedding[id_, IS_KEYWORD] = MARK
