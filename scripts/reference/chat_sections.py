"""Chats as transformers tokenizes them, with a small tokenizer of its own.

Usage: python scripts/reference/chat_sections.py > src/align/fixtures/chat-sections.json
Needs transformers, tokenizers, jinja2.
"""

import importlib.metadata
import json

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

MARKERS = ["<s>", "</s>", "<|im_start|>", "<|im_end|>", "<|eot|>"]
TEMPLATES = {
    "chatml": (
        "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
        "{{ '<|im_start|>system\nBe helpful<|im_end|>\n' }}{% endif %}"
        "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
    ),
    "llama-3": (
        "{{ bos_token }}{% for message in messages %}{{ message['role'] + ':\n\n' + message['content'] | trim + '<|eot|>' }}"
        "{% endfor %}{% if add_generation_prompt %}{{ 'assistant:\n\n' }}{% endif %}"
    ),
    "llama-2": (
        "{% if messages[0]['role'] == 'system' %}{% set rest = messages[1:] %}{% set system = messages[0]['content'] %}"
        "{% else %}{% set rest = messages %}{% set system = false %}{% endif %}"
        "{% for message in rest %}{% if loop.index0 == 0 and system %}"
        "{% set content = '<<SYS>>\n' + system + '\n<</SYS>>\n\n' + message['content'] %}"
        "{% else %}{% set content = message['content'] %}{% endif %}"
        "{% if message['role'] == 'user' %}{{ bos_token + '[INST] ' + content | trim + ' [/INST]' }}"
        "{% elif message['role'] == 'assistant' %}{{ ' ' + content | trim + ' ' + eos_token }}{% endif %}{% endfor %}"
    ),
}
CHATS = [
    [{"role": "user", "content": "Which is better, 1 or 2?\n"}],
    [{"role": "system", "content": "You are a judge."}, {"role": "user", "content": "  Say 1, 2 or 0. é🙂 "}],
]

tokenizer = Tokenizer(models.BPE())
tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
tokenizer.decoder = decoders.ByteLevel()
text = [message["content"] for chat in CHATS for message in chat] + ["system\nuser\nassistant\n\n"] * 4
alphabet = pre_tokenizers.ByteLevel.alphabet()
tokenizer.train_from_iterator(
    text, trainers.BpeTrainer(vocab_size=300, special_tokens=MARKERS, initial_alphabet=alphabet, show_progress=False)
)
fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>")
cases = [
    {
        "template": name,
        "messages": chat,
        "ids": fast.apply_chat_template(
            chat, chat_template=template, add_generation_prompt=True, tokenize=True, return_dict=False
        ),
    }
    for name, template in TEMPLATES.items()
    for chat in CHATS
]
versions = {name: importlib.metadata.version(name) for name in ["transformers", "tokenizers", "jinja2"]}
print(
    json.dumps(
        {
            "maker": "scripts/reference/chat_sections.py",
            "versions": versions,
            "tokenizerJson": json.loads(tokenizer.to_str()),
            "tokenizerConfig": {"bos_token": "<s>", "eos_token": {"content": "</s>"}},
            "templates": TEMPLATES,
            "cases": cases,
        },
        ensure_ascii=False,
    )
)
