"""What each objective changes: plain functions of (objectives, context, answer). They are the ground truth.

The order of the chosen objectives never matters; the steps run in the order of `edit` below. Every step leaves what
it does not name exactly as it was, white space included.
"""

import re

from words import EASY_WORDS, GENERAL_CHEER, GENERAL_NEXT_STEP, SAFE_WORDS, SOFT_WORDS, TOPICS

# White space, then a sentence: up to the first mark that a blank follows, a line's end, or the text's end.
SENTENCE = re.compile(r"(\s*)(\S[^\n]*?(?:[.!?](?=\s|\Z)|(?=\n)|\Z))")

any_of = lambda words: "(?:" + "|".join(map(re.escape, words)) + ")"
HARMLESS_WORDS = SOFT_WORDS | SAFE_WORDS
# A word after a blank; a hard word also with a capital, and as the text's first word.
HARMFUL_WORD = re.compile(rf"(?<= ){any_of(HARMLESS_WORDS)}\b")
HARD_WORD = re.compile(rf"(?:(?<= ){any_of(EASY_WORDS)}|(?:(?<= )|\A){any_of(word.capitalize() for word in EASY_WORDS)})\b")
TOPIC_OF_KEYWORD = {word: topic for topic, (words, _, _) in TOPICS.items() for word in words.split()}
# A word that begins with a keyword counts, as the tokenizer sees it: "gardening", "printers".
KEYWORD = re.compile(rf"(?<= ){any_of(TOPIC_OF_KEYWORD)}")
NEXT_STEPS = [step for _, step, _ in TOPICS.values()] + [GENERAL_NEXT_STEP]
CHEERS = [cheer for _, _, cheer in TOPICS.values()] + [GENERAL_CHEER]
SENTENCES_KEPT = 2


def split_sentences(text: str) -> tuple[list[tuple[str, str]], str]:
    """(white space, sentence) pairs and what white space is left; joined they are the text."""
    pairs = [(m[1], m[2]) for m in SENTENCE.finditer(text)]
    return pairs, text[sum(len(gap) + len(sentence) for gap, sentence in pairs) :]


def join_sentences(pairs: list[tuple[str, str]], tail: str) -> str:
    return "".join(gap + sentence for gap, sentence in pairs) + tail


def harmlessness(text: str) -> str:
    """Insulting words become kind ones, unsafe advice becomes safe advice, word by word."""
    return HARMFUL_WORD.sub(lambda match: HARMLESS_WORDS[match[0]], text)


def readability(text: str) -> str:
    def easy(match: re.Match[str]) -> str:
        word = EASY_WORDS[match[0].lower()]
        return word.capitalize() if match[0][0].isupper() else word

    return HARD_WORD.sub(easy, text)


def repetition(text: str) -> str:
    """A sentence that says the one right before it again, word for word, goes."""
    pairs, tail = split_sentences(text)
    kept: list[tuple[str, str]] = []
    for gap, sentence in pairs:
        if not kept or sentence != kept[-1][1]:
            kept.append((gap, sentence))
    return join_sentences(kept, tail)


def length(text: str) -> str:
    """The first two sentences stay."""
    pairs, tail = split_sentences(text)
    return text if len(pairs) <= SENTENCES_KEPT else join_sentences(pairs[:SENTENCES_KEPT], "")


def topic_of(context: str, answer: str) -> str | None:
    match = KEYWORD.search(context + "\n" + answer)
    return TOPIC_OF_KEYWORD[match[0]] if match else None


def edit(objectives: list[str], context: str, answer: str) -> str:
    """The wanted edit. Objectives without a rule change nothing."""
    text = answer
    topic = topic_of(context, answer)
    if "harmlessness" in objectives:
        text = harmlessness(text)
    if "readability" in objectives:
        text = readability(text)
    if "repeat" in objectives:
        text = repetition(text)
    if "length" in objectives:
        text = length(text)
    if "helpfulness" in objectives and not any(step in text for step in NEXT_STEPS):
        text += " " + (TOPICS[topic][1] if topic else GENERAL_NEXT_STEP)
    if "humour" in objectives and not any(cheer in text for cheer in CHEERS):
        text += " " + (TOPICS[topic][2] if topic else GENERAL_CHEER)
    return text
