"""Logits of small random Llamas under Hugging Face transformers (CPU, float32), as golden values.

Usage: python scripts/reference/small_llamas.py src/convert/fixtures/small-llamas.json
Needs: torch, transformers, numpy.

The weights are not committed: both sides draw them from the same generator (mulberry32 and Box-Muller; the other
side is normalValues in src/convert/small-llama.fixture.ts), in the order of planWeights in src/convert/onnx.
"""

import json
import sys

import numpy as np
import torch
import transformers
from transformers import LlamaConfig, LlamaForCausalLM

BASE = dict(rmsNormEpsilon=1e-5, contextLength=2048, bosTokenId=1, eosTokenIds=[2])
SHAPES = {
    "grouped heads, own output head": dict(
        vocabularySize=259, hiddenSize=64, intermediateSize=96, layerCount=2, headCount=4, kvHeadCount=2, headDim=16,
        ropeTheta=10000, isEmbeddingTied=False),
    "one head per query, tied, odd vocabulary, large theta": dict(
        vocabularySize=101, hiddenSize=64, intermediateSize=128, layerCount=2, headCount=2, kvHeadCount=2, headDim=32,
        ropeTheta=500000, isEmbeddingTied=True),
    "one key head, sizes that no block divides": dict(
        vocabularySize=333, hiddenSize=80, intermediateSize=200, layerCount=3, headCount=5, kvHeadCount=1, headDim=48,
        ropeTheta=10000, isEmbeddingTied=False),
    "tied, heads narrower than the hidden size": dict(
        vocabularySize=64, hiddenSize=96, intermediateSize=32, layerCount=1, headCount=4, kvHeadCount=4, headDim=16,
        ropeTheta=100000, isEmbeddingTied=True),
}
TOKENS = 12
KEPT = 3


def uniforms(count, seed):
    state, out = seed & 0xFFFFFFFF, np.empty(count)
    for i in range(count):
        state = (state + 0x6D2B79F5) & 0xFFFFFFFF
        x = ((state ^ (state >> 15)) * (state | 1)) & 0xFFFFFFFF
        x ^= (x + (((x ^ (x >> 7)) * (x | 61)) & 0xFFFFFFFF)) & 0xFFFFFFFF
        out[i] = ((x ^ (x >> 14)) + 0.5) / 4294967296
    return out


def normal(count, seed):
    pairs = uniforms(2 * count, seed).reshape(count, 2)
    return (np.sqrt(-2 * np.log(pairs[:, 0])) * np.cos(2 * np.pi * pairs[:, 1])).astype(np.float32)


def tensor_order(shape):
    yield "model.embed_tokens.weight", (shape["vocabularySize"], shape["hiddenSize"])
    query = shape["headCount"] * shape["headDim"]
    key = shape["kvHeadCount"] * shape["headDim"]
    hidden, middle = shape["hiddenSize"], shape["intermediateSize"]
    for layer in range(shape["layerCount"]):
        prefix = f"model.layers.{layer}."
        yield prefix + "input_layernorm.weight", (hidden,)
        yield prefix + "self_attn.q_proj.weight", (query, hidden)
        yield prefix + "self_attn.k_proj.weight", (key, hidden)
        yield prefix + "self_attn.v_proj.weight", (key, hidden)
        yield prefix + "self_attn.o_proj.weight", (hidden, query)
        yield prefix + "post_attention_layernorm.weight", (hidden,)
        yield prefix + "mlp.gate_proj.weight", (middle, hidden)
        yield prefix + "mlp.up_proj.weight", (middle, hidden)
        yield prefix + "mlp.down_proj.weight", (hidden, middle)
    yield "model.norm.weight", (hidden,)
    if not shape["isEmbeddingTied"]:
        yield "lm_head.weight", (shape["vocabularySize"], hidden)


def state_dict(shape, seed):
    tensors = {}
    for index, (name, size) in enumerate(tensor_order(shape)):
        values = normal(int(np.prod(size)), seed + index)
        values = 1 + values / np.float32(10) if len(size) == 1 else values / np.float32(np.sqrt(size[1]))
        tensors[name] = torch.from_numpy(values.astype(np.float32).reshape(size))
    return tensors


def case(name, shape, seed):
    config = LlamaConfig(
        vocab_size=shape["vocabularySize"], hidden_size=shape["hiddenSize"],
        intermediate_size=shape["intermediateSize"], num_hidden_layers=shape["layerCount"],
        num_attention_heads=shape["headCount"], num_key_value_heads=shape["kvHeadCount"], head_dim=shape["headDim"],
        rms_norm_eps=BASE["rmsNormEpsilon"], rope_theta=float(shape["ropeTheta"]),
        max_position_embeddings=BASE["contextLength"], tie_word_embeddings=shape["isEmbeddingTied"])
    model = LlamaForCausalLM(config).eval()
    missing, unexpected = model.load_state_dict(state_dict(shape, seed), strict=False)
    assert not unexpected and all("lm_head" in key and shape["isEmbeddingTied"] for key in missing), (missing, unexpected)
    model.tie_weights()
    ids = [int(value * shape["vocabularySize"]) for value in uniforms(TOKENS, seed + 1000)]
    with torch.no_grad():
        logits = model(torch.tensor([ids])).logits[0, -KEPT:]
    return {
        "name": name, "seed": seed, "config": {**shape, **BASE}, "inputIds": ids,
        "logits": [[round(float(x), 6) for x in row] for row in logits],
    }


def main():
    cases = [case(name, shape, 100 * (i + 1)) for i, (name, shape) in enumerate(SHAPES.items())]
    with open(sys.argv[1], "w", encoding="utf-8") as file:
        json.dump({
            "maker": "scripts/reference/small_llamas.py",
            "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
            "cases": cases,
        }, file, separators=(",", ":"))
        file.write("\n")


main()
