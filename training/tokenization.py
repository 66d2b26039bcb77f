"""The model's own byte-level BPE vocabulary, trained on generated text and written as Hugging Face's tokenizer.json."""

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


def rule_words() -> list[str]:
    """Every word that a rule looks at or writes, as it may stand in a text: each is one token."""
    hard = [*words.EASY_WORDS, *words.EASY_WORDS.values()]
    found = [" " + word for word in hard]
    found += [before + word.capitalize() for word in hard for before in (" ", "")]
    for each in (words.SOFT_WORDS, words.SAFE_WORDS):
        found += [" " + word for word in [*each, *each.values()]]
    found += [" " + word for keywords, _, _ in words.TOPICS.values() for word in keywords.split()]
    return list(dict.fromkeys(found))


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
    pieces = fixed_pieces() + whole_phrases() + rule_words()
    trainer = trainers.BpeTrainer(
        vocab_size=size - len(pieces),
        special_tokens=[BOS, EOS],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    # The words of the rules have their tokens already.
    known = re.compile("|".join(map(re.escape, sorted(rule_words() + whole_phrases(), key=len, reverse=True))))
    tokenizer.train_from_iterator((known.sub("\n", text) for text in corpus(seed)), trainer)
    # Not special: they are text that the tokenizer keeps whole, so they also come back when decoded.
    tokenizer.add_tokens([AddedToken(piece, normalized=False, special=False) for piece in pieces])
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", pair=f"{BOS} $A {BOS} $B", special_tokens=[(BOS, BOS_ID)]
    )
    assert tokenizer.token_to_id(BOS) == BOS_ID and tokenizer.token_to_id(EOS) == EOS_ID
    return tokenizer
