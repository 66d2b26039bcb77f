"""Held-out cases by subject. Seeds and a tenth of the words are ones that training never uses."""

import itertools
from collections.abc import Callable

from examples import OTHER, Case, Generator, make_case
from prompts import EDITING

# The shares that the model should reach; None where there is no target.
TARGETS = {"one objective": 0.95, "two objectives": 0.90, "copy": 0.98}


def take(generator: Generator, count: int, make: Callable[[Generator], Case], fits: Callable[[Case], bool]) -> list[Case]:
    cases: list[Case] = []
    while len(cases) < count:
        case = make(generator)
        if fits(case):
            cases.append(case)
    return cases


def long_sentences(generator: Generator) -> Case:
    """20 to 60 words of ordinary sentences, an objective that changes nothing."""
    answer = ""
    wanted = generator.random.randint(20, 60)
    while len(answer.split()) < wanted:
        answer = (answer + " " + generator.plain_sentence(None)).strip()
    answer = " ".join(answer.split(" ")[:60])
    return make_case([generator.random.choice(OTHER)], generator.context(None, "hh-rlhf", 0), answer)


def odd_text(generator: Generator) -> Case:
    """Words without grammar, links, foreign letters, rows of marks, line breaks."""
    answer = generator.odd_text(generator.random.randint(5, 40))
    return make_case([generator.random.choice(OTHER)], generator.context(None, "hh-rlhf", 0), answer)


def make_suites(count: int, seed: str = "held out") -> dict[str, list[Case]]:
    """`count` cases a row; the rows of pairs share it among the fifteen pairs."""
    new = lambda name: Generator(f"{seed} {name}", held_out=True)
    suites: dict[str, list[Case]] = {}
    is_edited = lambda case: case.edit != case.answer
    for key in EDITING:
        make = lambda generator: generator.case(4, [key], edited=0.9)
        suites[f"one objective: {key}"] = take(new(key), count, make, is_edited)
    suites["one objective, nothing to edit"] = take(
        new("nothing"), count, lambda g: g.case(4, [g.random.choice(EDITING)], edited=0.2), lambda case: not is_edited(case)
    )
    pairs = new("pairs")
    suites["two objectives"] = [
        case
        for pair in itertools.combinations(EDITING, 2)
        for case in take(pairs, -(-count // 15), lambda g: g.case(4, g.random.sample(pair, 2), edited=0.8), is_edited)
    ]
    suites["three to six objectives"] = take(
        new("many"), count, lambda g: g.case(4, g.random.sample(EDITING, g.random.randint(3, 6))), is_edited
    )
    suites["two objectives, longer answers (up to 10 sentences)"] = take(
        new("long"), count, lambda g: g.case(10, g.random.sample(EDITING, 2)), is_edited
    )
    suites["other and custom objectives"] = take(
        new("other"), count, lambda g: g.case(4, [g.random.choice([g.custom_objective(), g.random.choice(OTHER)])]), lambda _: True
    )
    suites["copy: sentences of 20 to 60 words"] = take(new("copy"), count, long_sentences, lambda _: True)
    suites["copy: odd text"] = take(new("odd"), count, odd_text, lambda _: True)
    return suites
