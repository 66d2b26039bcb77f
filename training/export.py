"""Writes the Hugging Face folder: config.json, model.safetensors, tokenizer files, generation_config.json."""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer

from model import Aligner
from tokenization import BOS, BOS_ID, EOS, EOS_ID

LAYER_NAMES = {
    "attention_norm": "input_layernorm", "q": "self_attn.q_proj", "k": "self_attn.k_proj", "v": "self_attn.v_proj",
    "o": "self_attn.o_proj", "mlp_norm": "post_attention_layernorm", "gate": "mlp.gate_proj", "up": "mlp.up_proj",
    "down": "mlp.down_proj",
}  # fmt: skip


def hugging_face_weights(model: Aligner) -> dict[str, torch.Tensor]:
    weights = {"model.embed_tokens.weight": model.embedding, "model.norm.weight": model.norm.weight, "lm_head.weight": model.head}
    for i, layer in enumerate(model.layers):
        for ours, theirs in LAYER_NAMES.items():
            weights[f"model.layers.{i}.{theirs}.weight"] = getattr(layer, ours).weight
    return {name: tensor.detach().float().contiguous().clone() for name, tensor in weights.items()}


def export_folder(model: Aligner, tokenizer: Tokenizer, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    shape = model.shape
    config = {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": shape.vocabulary_size,
        "hidden_size": shape.hidden_size, "intermediate_size": shape.intermediate_size,
        "num_hidden_layers": shape.layer_count, "num_attention_heads": shape.head_count,
        "num_key_value_heads": shape.head_count, "head_dim": shape.head_dim, "hidden_act": "silu",
        "max_position_embeddings": shape.context_length, "rms_norm_eps": shape.norm_epsilon,
        "rope_theta": shape.rope_theta, "tie_word_embeddings": False, "attention_bias": False, "mlp_bias": False,
        "bos_token_id": BOS_ID, "eos_token_id": EOS_ID, "torch_dtype": "float32",
    }  # fmt: skip
    special = {"bos_token": BOS, "eos_token": EOS, "unk_token": None, "pad_token": EOS}
    tokenizer_config = special | {
        "tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": shape.context_length,
        "clean_up_tokenization_spaces": False,
    }  # fmt: skip
    generation = {"bos_token_id": BOS_ID, "eos_token_id": EOS_ID, "pad_token_id": EOS_ID, "do_sample": False}
    for name, value in (("config", config), ("tokenizer_config", tokenizer_config), ("generation_config", generation)):
        (folder / f"{name}.json").write_text(json.dumps(value, indent=2) + "\n")
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    save_file(hugging_face_weights(model), str(folder / "model.safetensors"), {"format": "pt"})
