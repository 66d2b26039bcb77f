"""The model's own byte-level BPE vocabulary, trained on generated text and written as Hugging Face's tokenizer.json."""

import random
from collections.abc import Iterator

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

import words
from examples import Generator
from prompts import fixed_pieces

BOS, EOS = "<s>", "</s>"
BOS_ID, EOS_ID = 0, 1


def rule_words() -> list[str]:
    """Every word that a rule looks at or writes: each must be common enough in the corpus to become one token."""
    lists = [words.INSULT_NOUNS, words.INSULT_ADJECTIVES, list(words.EASY_WORDS), list(words.EASY_WORDS.values()), words.FILLERS]
    found = [word for each in lists for word in each]
    found += [word for keywords, _, _ in words.TOPICS.values() for word in keywords.split()]
    texts = [text for _, step, cheer in words.TOPICS.values() for text in (step, cheer)]
    texts += [words.GENERAL_NEXT_STEP, words.GENERAL_CHEER, words.UNSAFE_REPLACEMENT, *words.UNSAFE_PHRASES]
    return found + [word.strip(".,!?:") for text in texts for word in text.split()]


def corpus(seed: int) -> Iterator[str]:
    generator, shuffled = Generator(seed), random.Random(seed)
    for _ in range(2000):
        case = generator.case(max_sentences=5)
        yield case.context + " " + case.answer
    # A held-out word is spelt by pieces, as real unseen words are: only words of the training lists stand here.
    common = rule_words() * 12 + generator.known * 2 + words.FUNCTION_WORDS * 5 + words.FIRST_WORDS * 2
    for _ in range(60):
        shuffled.shuffle(common)
        yield " ".join(common)
        # Without a blank before them, as at the start of an answer.
        yield "\n".join(words.FIRST_WORDS * 4 + generator.lists["NAMES"] * 2)
    for _ in range(30):
        yield " ".join(word.capitalize() for word in words.EASY_WORDS)
        yield "".join(f"{character}" for character in "’‘“”–•… ") + " it’s don’t I’m you’re can’t"


def train_tokenizer(size: int, seed: int) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    pieces = fixed_pieces()
    trainer = trainers.BpeTrainer(
        vocab_size=size - len(pieces),
        special_tokens=[BOS, EOS],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(corpus(seed), trainer)
    # Not special: they are text that the tokenizer keeps whole, so they also come back when decoded.
    tokenizer.add_tokens([AddedToken(piece, normalized=False, special=False) for piece in pieces])
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", pair=f"{BOS} $A {BOS} $B", special_tokens=[(BOS, BOS_ID)]
    )
    assert tokenizer.token_to_id(BOS) == BOS_ID and tokenizer.token_to_id(EOS) == EOS_ID
    return tokenizer
