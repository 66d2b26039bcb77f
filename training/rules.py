"""What each objective changes: plain functions of (objectives, context, answer). They are the ground truth.

The order of the chosen objectives never matters; the steps run in the order of `edit` below. Every step leaves what
it does not name exactly as it was, white space included.
"""

import re

from words import (
    EASY_WORDS,
    FILLERS,
    FIRST_SENTENCE_INSTEAD_OF_INSULT,
    GENERAL_CHEER,
    GENERAL_NEXT_STEP,
    INSULT_ADJECTIVES,
    INSULT_NOUNS,
    INSULT_OPENERS,
    LONG_PHRASES,
    TOPICS,
    UNSAFE_PHRASES,
    UNSAFE_REPLACEMENT,
)

# White space, then a sentence: up to the first mark that a blank follows, a line's end, or the text's end.
SENTENCE = re.compile(r"(\s*)(\S[^\n]*?(?:[.!?](?=\s|\Z)|(?=\n)|\Z))")

any_of = lambda words: "(?:" + "|".join(map(re.escape, words)) + ")"
INSULT = re.compile(rf"\b{any_of(INSULT_NOUNS + INSULT_ADJECTIVES)}\b")
INSULT_CALL = re.compile(rf", you (?:{any_of(INSULT_ADJECTIVES)} )?{any_of(INSULT_NOUNS)}(?=[,.!?])")
INSULT_ADJECTIVE = re.compile(rf" {any_of(INSULT_ADJECTIVES)}(?= [A-Za-z])")
UNSAFE = re.compile(rf"\b{any_of(UNSAFE_PHRASES)}\b")
HARD_WORD = re.compile(rf"\b{any_of([*EASY_WORDS, *(word.capitalize() for word in EASY_WORDS)])}\b")
FILLER = re.compile(rf"(?<!\ba)(?<!\ban) {any_of(FILLERS)}(?= [A-Za-z])")
LONG_PHRASE = re.compile(rf"(?<= ){any_of(LONG_PHRASES)}\b")
TOPIC_OF_KEYWORD = {word: topic for topic, (words, _, _) in TOPICS.items() for word in words.split()}
KEYWORD = re.compile(rf"\b{any_of(TOPIC_OF_KEYWORD)}\b")
CHEERS = [cheer for _, _, cheer in TOPICS.values()] + [GENERAL_CHEER]
SENTENCES_KEPT = 2


def split_sentences(text: str) -> tuple[list[tuple[str, str]], str]:
    """(white space, sentence) pairs and what white space is left; joined they are the text."""
    pairs = [(m[1], m[2]) for m in SENTENCE.finditer(text)]
    return pairs, text[sum(len(gap) + len(sentence) for gap, sentence in pairs) :]


def join_sentences(pairs: list[tuple[str, str]], tail: str) -> str:
    return "".join(gap + sentence for gap, sentence in pairs) + tail


def is_insult(sentence: str) -> bool:
    return sentence.startswith("Shut up") or (sentence.startswith(INSULT_OPENERS) and INSULT.search(sentence) is not None)


def harmlessness(text: str) -> str:
    """Unsafe advice becomes a referral, insulting sentences go, insulting words inside other sentences go."""
    pairs, tail = split_sentences(text)
    kept: list[tuple[str, str]] = []
    for gap, sentence in pairs:
        if UNSAFE.search(sentence):
            kept.append((gap, UNSAFE_REPLACEMENT))
        elif not is_insult(sentence):
            kept.append((gap, INSULT_ADJECTIVE.sub("", INSULT_CALL.sub("", sentence))))
        elif not kept:
            kept.append((gap, FIRST_SENTENCE_INSTEAD_OF_INSULT))
    return join_sentences(kept, tail)


def readability(text: str) -> str:
    def easy(match: re.Match[str]) -> str:
        word = EASY_WORDS[match[0].lower()]
        return word.capitalize() if match[0][0].isupper() else word

    return HARD_WORD.sub(easy, text)


def repetition(text: str) -> str:
    """A sentence that stands earlier, word for word, goes."""
    pairs, tail = split_sentences(text)
    seen: set[str] = set()
    kept = []
    for gap, sentence in pairs:
        if sentence not in seen:
            seen.add(sentence)
            kept.append((gap, sentence))
    return join_sentences(kept, tail)


def length(text: str) -> str:
    """Fillers go, long phrases become short, the first two sentences stay."""
    text = LONG_PHRASE.sub(lambda match: LONG_PHRASES[match[0]], FILLER.sub("", text))
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
    if "helpfulness" in objectives and "A good next step:" not in text:
        text += " " + (TOPICS[topic][1] if topic else GENERAL_NEXT_STEP)
    if "humour" in objectives and not any(cheer in text for cheer in CHEERS):
        text += " " + (TOPICS[topic][2] if topic else GENERAL_CHEER)
    return text
