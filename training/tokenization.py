"""The model's own byte-level BPE vocabulary, trained on generated text and written as Hugging Face's tokenizer.json."""

import json
import random
import re
from collections.abc import Iterator

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

import rules
import words
from examples import Generator
from prompts import fixed_pieces

BOS, EOS = "<s>", "</s>"
BOS_ID, EOS_ID = 0, 1
BLANK = "Ġ"
"""How a byte-level vocabulary writes a blank."""


def rule_words() -> list[str]:
    """Every word that a rule replaces or writes, as it may stand in a text: each is one token, where the whole word is it."""
    hard = [*words.EASY_WORDS, *words.EASY_WORDS.values()]
    found = [" " + word for word in hard]
    found += [before + word.capitalize() for word in hard for before in (" ", "")]
    for each in (words.SOFT_WORDS, words.SAFE_WORDS):
        found += [" " + word for word in [*each, *each.values()]]
    return list(dict.fromkeys(found))


def keywords() -> list[str]:
    """Words of the topics: each is one token, at the start of a longer word too."""
    return [" " + word for keywords, _, _ in words.TOPICS.values() for word in keywords.split()]


def whole_phrases() -> list[str]:
    """The sentences that the rules add: one token each, so that adding one is a single decision."""
    return [" " + sentence for sentence in rules.NEXT_STEPS + rules.CHEERS]


def corpus(seed: int) -> Iterator[str]:
    generator, shuffled = Generator(seed), random.Random(seed)
    for _ in range(2000):
        case = generator.case(max_sentences=5)
        yield case.context + " " + case.answer
    # A held-out word is spelt by pieces, as real unseen words are: only words of the training lists stand here.
    common = generator.known * 2 + words.FUNCTION_WORDS * 5 + words.FIRST_WORDS * 2
    for _ in range(60):
        shuffled.shuffle(common)
        yield " ".join(common)
        # Without a blank before them, as at the start of an answer.
        yield "\n".join(words.FIRST_WORDS * 4 + generator.lists["NAMES"] * 2)
    for _ in range(30):
        yield "".join(f"{character}" for character in "’‘“”–•… ") + " it’s don’t I’m you’re can’t"


def train_tokenizer(size: int, seed: int) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    split_off = fixed_pieces() + whole_phrases() + keywords()
    whole_words = [word.replace(" ", BLANK) for word in rule_words() if word not in split_off]
    trainer = trainers.BpeTrainer(
        vocab_size=size - len(split_off) - len(whole_words),
        special_tokens=[BOS, EOS],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    # What has its token already needs no merges: longer first, and rules' words only where no letter follows.
    known = re.compile(
        "|".join(map(re.escape, sorted(whole_phrases() + keywords(), key=len, reverse=True)))
        + "|(?:" + "|".join(map(re.escape, sorted(rule_words(), key=len, reverse=True))) + r")\b"
    )  # fmt: skip
    tokenizer.train_from_iterator((known.sub("\n", text) for text in corpus(seed)), trainer)
    # The words of the rules are pieces without merges: `ignore_merges` takes them where they are a whole word, and leaves
    # "robot" to its own pieces.
    plain = json.loads(tokenizer.to_str())
    plain["model"]["ignore_merges"] = True
    vocabulary = plain["model"]["vocab"]
    for word in whole_words:
        vocabulary.setdefault(word, len(vocabulary))
    tokenizer = Tokenizer.from_str(json.dumps(plain))
    # Not special: they are text that the tokenizer keeps whole, so they also come back when decoded.
    tokenizer.add_tokens([AddedToken(piece, normalized=False, special=False) for piece in split_off])
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", pair=f"{BOS} $A {BOS} $B", special_tokens=[(BOS, BOS_ID)]
    )
    assert tokenizer.token_to_id(BOS) == BOS_ID and tokenizer.token_to_id(EOS) == EOS_ID
    return tokenizer
