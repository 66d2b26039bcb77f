"""The published prompt templates and objective descriptions, byte for byte as in src/align/prompt.ts and objectives.ts.

The evaluation through the engine (scripts/evaluate-demo-aligner.ts) builds its prompts with the TypeScript side, so a
difference between the two shows there.
"""

OPENING = "You are an assistant to human. You will be provided with"
TEMPLATES = {
    "hh-rlhf": (
        f"{OPENING} a context and an answer. Consider the context, then edit the answer to improve it considering these aspects: ",
        " | Context: ",
    ),
    "ultrafeedback": (
        f"{OPENING} a query and an answer. Consider the query, then edit the answer to improve it considering these aspects: ",
        " | Query: ",
    ),
    "imhi": ('Edit the following Question-Answer pair to make it better considering these aspects "', '" | Question: '),
}
ANSWER_MARK = " | Answer: "
EDIT_MARK = " | Edit: "
VICUNA_BEFORE = (
    "A chat between a curious user and an artificial intelligence assistant. The assistant gives helpful, detailed, "
    "and polite answers to the user's questions. USER: "
)
VICUNA_AFTER = " ASSISTANT: "

DESCRIPTIONS = {
    "harmlessness": "Harmlessness: The response should avoid content that is offensive, discriminatory, or harmful",
    "helpfulness": "Helpfulness: The response should provide useful resources and suggestions to the user",
    "humour": "Humour: The response should be cheerful and amusing",
    "instruction_following": "Instruction following: the response should follow the instructions of the query",
    "honesty": "Honesty: the response should not tell lies",
    "truthfulness": "Truthfulness: the response should actively making known all the full truth of a matter",
    "correct": "Correctness: the explanations should make correct predictions",
    "informative": "Informative: the response should express clear logic and provide consistent evidence",
    "professional": "Professional: the response should provide evidence with high quality and reliability",
    "specificity": "Specificity: the response should refer to facts and details and avoid vague arguments.",
    "factuality": "Factuality: the response should be factually correct and avoid hallucinated statements.",
    "readability": "Readability: the response should be easy to read and understand, not too technical for laymen.",
    "fairness": "Fairness: the response should avoid biased or one-sided arguments and consider different points of view.",
    "repeat": "Repetition: the response should avoid repetitive statements of one point.",
    "length": "Length: the response should be concise and avoid redundant content.",
}
ULTRAFEEDBACK_HELPFULNESS = "Helpfulness: the response should provide useful resources and suggestions to the user"

EDITING = ("harmlessness", "helpfulness", "humour", "readability", "repeat", "length")
"""Objectives that change something; every other one copies the answer."""


def describe(key: str, template: str) -> str:
    """The text of an objective; a key of the form `Name: description` is an objective in the user's own words."""
    if key == "helpfulness" and template == "ultrafeedback":
        return ULTRAFEEDBACK_HELPFULNESS
    return DESCRIPTIONS.get(key, key)


def build_prompt(objectives: list[str], context: str, answer: str, template: str = "hh-rlhf", vicuna: bool = False) -> str:
    before, context_mark = TEMPLATES[template]
    aspects = "; ".join(describe(key, template) for key in objectives)
    prompt = before + aspects + context_mark + context + ANSWER_MARK + answer + EDIT_MARK
    return VICUNA_BEFORE + prompt + VICUNA_AFTER if vicuna else prompt


def fixed_pieces() -> list[str]:
    """The template texts and descriptions that the tokenizer keeps whole, so that a prompt's frame costs few tokens."""
    frames = [piece for before, mark in TEMPLATES.values() for piece in (before, mark)]
    marks = [ANSWER_MARK, EDIT_MARK, VICUNA_BEFORE, VICUNA_AFTER, "\n\nHuman:", "\n\nAssistant:"]
    return list(dict.fromkeys(frames + marks + list(DESCRIPTIONS.values()) + [ULTRAFEEDBACK_HELPFULNESS]))
