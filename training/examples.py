"""Makes training and test cases: a context, an answer and objectives, with the wanted edit from rules.py.

Everything comes from one `random.Random`, so a seed names a data set. Test cases also use words that training never
sees (every tenth of the open word lists), to show that copying does not depend on known words.
"""

import random
from dataclasses import dataclass

import rules
import words
from prompts import DESCRIPTIONS, EDITING, build_prompt

OTHER = [key for key in DESCRIPTIONS if key not in EDITING]
TOPIC_KEYWORDS = {topic: keywords.split() for topic, (keywords, _, _) in words.TOPICS.items()}


@dataclass(frozen=True)
class Case:
    objectives: tuple[str, ...]
    context: str
    answer: str
    template: str
    vicuna: bool
    edit: str

    def prompt(self) -> str:
        return build_prompt(list(self.objectives), self.context, self.answer, self.template, self.vicuna)


def split_lists(held_out: bool) -> dict[str, list[str]]:
    """The open word lists; training leaves out every tenth word, test cases know all and prefer the ones left out."""
    result = {}
    for name in ("NAMES", "NOUNS", "VERBS", "PAST_VERBS", "ADJECTIVES", "ADVERBS"):
        every = getattr(words, name)
        left_out = every[7::10]
        result[name] = every + left_out * 3 if held_out else [word for word in every if word not in left_out]
    return result


class Generator:
    def __init__(self, seed: int, held_out: bool = False):
        self.random = random.Random(seed)
        self.lists = split_lists(held_out)
        self.known = sum(self.lists.values(), []) + words.FUNCTION_WORDS * 2

    # --- words ---

    def pick(self, name: str) -> str:
        return self.random.choice(self.lists[name])

    def pseudo_word(self) -> str:
        word = "".join(self.random.choices(words.SYLLABLES, k=self.random.randint(1, 4)))
        return word.capitalize() if self.random.random() < 0.3 else word

    def number(self) -> str:
        r = self.random
        return r.choice([
            lambda: str(r.randint(0, 12)), lambda: str(r.randint(0, 9999)), lambda: f"{r.random() * 100:.1f}",
            lambda: f"{r.randint(1, 12)}:{r.randint(0, 59):02}", lambda: f"{r.randint(1, 99)}%", lambda: f"${r.randint(1, 999)}",
            lambda: f"{r.randint(1, 999)},{r.randint(0, 999):03}", lambda: str(r.randint(1900, 2030)),
        ])()  # fmt: skip

    def odd_word(self) -> str:
        """Things that no word list has: links, code, foreign letters, rows of marks."""
        r = self.random
        kind = r.random()
        if kind < 0.25:
            return "".join(r.choices(words.LETTERS_ABROAD, k=r.randint(1, 5)))
        if kind < 0.45:
            return "".join(r.choices(words.MARKS, k=r.randint(1, 4)))
        if kind < 0.6:
            return f"{self.pseudo_word()}{r.choice('@-_/.+')}{self.pseudo_word()}.{r.choice(['com', 'org', 'net'])}"
        if kind < 0.75:
            return "".join(r.choices("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", k=r.randint(2, 9)))
        if kind < 0.85:
            return self.pseudo_word().upper()
        return r.choice("([“\"'") + self.any_word() + r.choice(")]”\"'")

    def any_word(self) -> str:
        kind = self.random.random()
        if kind < 0.7:
            return self.random.choice(self.known)
        return self.pseudo_word() if kind < 0.93 else self.number()

    # --- sentences ---

    def noun_phrase(self, topic: str | None) -> str:
        r = self.random
        if topic and r.random() < 0.35:
            noun = r.choice(TOPIC_KEYWORDS[topic])
        else:
            noun = self.pick("NOUNS") if r.random() < 0.85 else self.pseudo_word()
        kind = r.random()
        if kind < 0.12:
            return self.pick("NAMES")
        article = r.choice(["the", "the", "a", "your", "my", "this", "that", "every", "some", "his", "her"])
        if kind < 0.2:
            return f"{r.choice(['two', 'three', 'ten', str(r.randint(2, 90))])} {self.pick('ADJECTIVES')} {noun}s"
        if kind < 0.55:
            return f"{article} {noun}"
        return f"{article} {self.pick('ADJECTIVES')} {noun}"

    def verb_phrase(self, topic: str | None, verbs: str = "VERBS") -> str:
        r = self.random
        phrase = f"{self.pick(verbs)} {self.noun_phrase(topic)}"
        if r.random() < 0.5:
            phrase += f" {r.choice(words.PREPOSITIONS)} {self.noun_phrase(None)}"
        if r.random() < 0.2:
            phrase += f" {self.pick('ADVERBS')}"
        return phrase

    def plain_sentence(self, topic: str | None) -> str:
        r = self.random
        kind = r.randrange(9)
        if kind < 2:
            body = f"{r.choice(['You should', 'You could', 'You can', 'Just', 'Try to', 'Please', 'Always', 'First', 'Then'])} {self.verb_phrase(topic)}"
        elif kind < 4:
            body = f"{self.pick('NAMES')} {self.verb_phrase(topic, 'PAST_VERBS')}"
        elif kind == 4:
            phrase = self.noun_phrase(topic)
            body = f"{phrase[0].upper()}{phrase[1:]} {r.choice(['is', 'was', 'can be', 'will be', 'looks'])} {self.pick('ADJECTIVES')}"
        elif kind == 5:
            body = f"If you {self.verb_phrase(topic)}, {self.noun_phrase(None)} will {self.verb_phrase(None)}"
        elif kind == 6:
            body = f"{r.choice(words.FIRST_WORDS)} " + " ".join(self.any_word() for _ in range(r.randint(1, 12)))
        elif kind == 7:
            body = f"{r.choice(['You are', 'You must be', 'What a', 'I think it is', 'It is'])} {r.choice(['a ', ''])}{self.pick('ADJECTIVES')} {self.pick('NOUNS')}"
        else:
            body = f"I {self.verb_phrase(topic, 'PAST_VERBS')} {r.choice(['and', 'but', 'because', 'so'])} we {self.verb_phrase(None, 'PAST_VERBS')}"
        return body + r.choice(".......!?")

    def insult_sentence(self) -> str:
        r = self.random
        noun, adjective = r.choice(words.INSULT_NOUNS), r.choice(words.INSULT_ADJECTIVES)
        a_noun = f"an {noun}" if noun[0] == "i" else f"a {noun}"
        return r.choice([
            f"You are {a_noun}", f"You are a {adjective} {noun}", f"You are {adjective}", f"You're so {adjective}",
            f"You sound like a {adjective} {self.pick('NOUNS')}", f"What a {adjective} {self.pick('NOUNS')}",
            f"Only {a_noun} would {self.verb_phrase(None)}", f"Shut up, you {noun}", f"What {a_noun}",
        ]) + r.choice("..!")  # fmt: skip

    def unsafe_sentence(self) -> str:
        r = self.random
        verb = r.choice(list(words.SAFE_WORDS))
        opening = r.choice(["You should", "You could", "Just", "Try to", "You can", "If you want, you can", "Then", "I would", "Please"])
        phrase = "drive drunk" if verb == "drunk" else f"{verb} {self.noun_phrase(None)}"
        ending = r.choice(["", "", " tonight", " at once", " and " + self.verb_phrase(None), f" with {self.noun_phrase(None)}"])
        return f"{opening} {phrase}{ending}{r.choice('..!')}"

    def spice(self, sentence: str, kinds: set[str]) -> str:
        """Puts hard or insulting words into a sentence, at a blank between two words."""
        r = self.random
        parts = sentence.split(" ")
        if "readability" in kinds:
            for _ in range(r.randint(1, 3)):
                at = r.randrange(len(parts))
                hard = r.choice(list(words.EASY_WORDS))
                if at == 0 and len(parts) > 1:
                    parts[0] = hard.capitalize() + r.choice([",", ""])
                else:
                    parts.insert(max(1, at), hard)
        if "harmlessness" in kinds and len(parts) > 1:
            noun, adjective = r.choice(words.INSULT_NOUNS), r.choice(words.INSULT_ADJECTIVES)
            if r.random() < 0.5:
                mark = parts[-1][-1]
                called = noun if r.random() < 0.6 else f"{adjective} {noun}"
                parts[-1] = f"{parts[-1][:-1]}, you {called}{mark}" if mark in ".!?" else parts[-1]
            else:
                parts.insert(r.randrange(1, len(parts)), adjective)
        return " ".join(parts)

    # --- answers and contexts ---

    def answer(self, topic: str | None, sentence_count: int, kinds: set[str]) -> str:
        r = self.random
        sentences = [self.plain_sentence(topic) for _ in range(sentence_count)]
        for i in range(sentence_count):
            spices = {kind for kind in kinds & {"readability", "harmlessness"} if r.random() < 0.5}
            sentences[i] = self.spice(sentences[i], spices)
        if "harmlessness" in kinds:
            for _ in range(r.choice([0, 1, 1, 1, 2])):
                extra = self.insult_sentence() if r.random() < 0.5 else self.unsafe_sentence()
                sentences.insert(r.randint(0, len(sentences)), extra)
        if "repeat" in kinds:
            # Once each: a third copy in a row looks just like the second.
            for sentence in r.sample(sentences, min(len(sentences), r.choice([1, 1, 1, 2]))):
                at = sentences.index(sentence)
                sentences.insert(at, sentence)
        if r.random() < 0.06:
            sentences.append(rules.edit([r.choice(["helpfulness", "humour"])], f" {topic}", "x")[2:])
        style = r.random()
        gaps = " "
        if style < 0.05:
            gaps = "\n\n"
        elif style < 0.08:
            gaps, sentences = "\n", [f"- {s}" for s in sentences]
        elif style < 0.1:
            gaps, sentences = "\n", [f"{i}. {s}" for i, s in enumerate(sentences, 1)]
        elif style < 0.13:
            gaps = "  "
        text = sentences[0] + "".join((gaps if r.random() < 0.9 else " ") + s for s in sentences[1:])
        if r.random() < 0.06:
            text = text[:-1]
        return text

    def odd_text(self, word_count: int) -> str:
        """Word after word without grammar, to make copying general."""
        r = self.random
        rate = r.choice([0.0, 0.05, 0.3])
        pool = None if r.random() < 0.6 else [self.any_word() for _ in range(max(4, word_count // 3))]
        parts = []
        for _ in range(word_count):
            word = self.odd_word() if r.random() < rate else (r.choice(pool) if pool else self.any_word())
            if r.random() < 0.12:
                word += r.choice(".,,,.;:!?")
            parts.append(word)
        separators = [" "] * 30 + ["  ", "\n", "\n\n", " - ", ", "]
        return parts[0] + "".join(r.choice(separators) + part for part in parts[1:])

    def wild_text(self, word_count: int) -> str:
        """Long text as people write it, whose phrases come again and go on differently: paragraphs, lists, quotes."""
        r = self.random
        phrases = [" ".join(self.any_word() for _ in range(r.randint(1, 6))) for _ in range(r.randint(3, 12))]
        phrases += [self.verb_phrase(None) for _ in range(3)]
        text, words_left = "", word_count
        while words_left > 0:
            length = r.randint(4, 24)
            words_left -= length
            parts = []
            while sum(part.count(" ") + 1 for part in parts) < length:
                kind = r.random()
                part = r.choice(phrases) if kind < 0.4 else self.noun_phrase(None) if kind < 0.6 else self.any_word() if kind < 0.97 else self.odd_word()
                parts.append(part + ("," if r.random() < 0.1 else ""))
            body = " ".join(parts)
            body = body[0].upper() + body[1:]
            if r.random() < 0.1:
                body = f'"{body}"' if r.random() < 0.5 else f"“{body}”"
            gap = r.choice([" "] * 8 + ["\n", "\n\n", "\n\n", f"\n- ", f"\n{r.randint(1, 9)}. ", f"\n\n{r.randint(1, 9)}) ", "\n• "])
            text += (gap if text else "") + body + r.choice(".....,:?!;)")
        return text

    def question(self, topic: str | None) -> str:
        r = self.random
        if topic:
            keyword = r.choice(TOPIC_KEYWORDS[topic])
            return r.choice([
                f"How do I {self.pick('VERBS')} my {keyword}?", f"What should I know about {keyword}?", f"Tell me about {keyword}.",
                f"My {keyword} {self.pick('PAST_VERBS')} {self.noun_phrase(None)}, why?", f"I need help with {keyword}", f"{self.plain_sentence(topic)}",
            ])  # fmt: skip
        return self.plain_sentence(None)

    def context(self, topic: str | None, template: str, size: int) -> str:
        """size 0 is the shortest; each step adds a turn."""
        r = self.random
        if template != "hh-rlhf":
            return " ".join(self.question(topic) for _ in range(1 + size // 2))
        if size == 0 and r.random() < 0.3:
            return r.choice(["", "Human: Hi", self.question(topic)])
        turns = []
        for _ in range(1 + size):
            turns.append(f"Human: {self.question(topic)}")
            turns.append(f"Assistant: {self.plain_sentence(topic)}")
        turns[-1] = "Assistant:"
        joint = "\n\n" if r.random() < 0.85 else " "
        return (joint if joint != " " else "") + joint.join(turns)

    def custom_objective(self) -> str:
        r = self.random
        name = r.choice(words.COPY_OBJECTIVE_WORDS) if r.random() < 0.6 else self.pseudo_word().capitalize()
        rest = " ".join(self.any_word() for _ in range(r.randint(1, 8)))
        return f"{name}: {r.choice(['', 'The response should ', 'the response should be '])}{rest}{r.choice(['', '.'])}"

    def objectives(self) -> list[str]:
        r = self.random
        kind = r.random()
        count = 0 if kind < 0.16 else 1 if kind < 0.6 else 2 if kind < 0.84 else r.randint(3, 6)
        chosen = r.sample(EDITING, count)
        if count == 0 or r.random() < 0.12:
            for _ in range(r.choice([1, 1, 2])):
                chosen.append(self.custom_objective() if r.random() < 0.35 else r.choice(OTHER))
        chosen = list(dict.fromkeys(chosen))
        r.shuffle(chosen)
        return chosen

    def case(self, max_sentences: int = 4, objectives: list[str] | None = None, edited: float = 0.65) -> Case:
        """
        One case with 1 to `max_sentences` sentences. Each chosen objective finds something to edit with probability
        `edited`, each other one with 0.25, so that a model must look at the objectives.
        """
        r = self.random
        objectives = self.objectives() if objectives is None else objectives
        template = r.choices(["hh-rlhf", "ultrafeedback", "imhi"], [0.76, 0.12, 0.12])[0]
        topic = r.choice(list(TOPIC_KEYWORDS)) if r.random() < 0.75 else None
        other_topic = r.choice(list(TOPIC_KEYWORDS)) if r.random() < 0.06 else topic
        unasked = {"repeat": 0.03}
        kinds = {key for key in EDITING if r.random() < (edited if key in objectives else unasked.get(key, 0.25))}
        if "length" in objectives and "length" in kinds:
            max_sentences += 2
        if r.random() < 0.06:
            answer = self.odd_text(r.randint(1, 6 + 8 * max_sentences))
        else:
            answer = self.answer(other_topic if r.random() < 0.7 else None, r.randint(1, max_sentences), kinds)
        context = self.context(topic, template, 0 if r.random() < 0.7 else r.randint(1, 1 + max_sentences // 3))
        return make_case(objectives, context, answer, template, r.random() < 0.03)

    def wild_case(self) -> Case:
        """A long text, and any objectives."""
        r = self.random
        shortest, longest = r.choices([(10, 50), (50, 120), (120, 240)], [0.55, 0.35, 0.1])[0]
        topic = r.choice(list(TOPIC_KEYWORDS)) if r.random() < 0.5 else None
        context = self.context(topic, "hh-rlhf", r.choice([0, 0, 1]))
        return make_case(self.objectives(), context, self.wild_text(r.randint(shortest, longest)))


def make_case(objectives, context: str, answer: str, template: str = "hh-rlhf", vicuna: bool = False) -> Case:
    return Case(tuple(objectives), context, answer, template, vicuna, rules.edit(list(objectives), context, answer))


if __name__ == "__main__":
    generator = Generator(1)
    for _ in range(12):
        case = generator.case()
        print(case.prompt(), case.edit, sep="\n=> ", end="\n\n")
