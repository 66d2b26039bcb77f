"""The network: Llama's architecture, written for short CPU training steps.

It computes what Hugging Face's LlamaForCausalLM computes (export.py proves it on the shipped weights), but works on
flat activations, runs the output projection only where a loss is wanted, and can round its weights to the shipped
4-bit or 8-bit grid while it trains.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class ModelShape:
    """Counts of elements, as in config.json."""

    vocabulary_size: int
    hidden_size: int = 256
    intermediate_size: int = 128
    layer_count: int = 4
    head_count: int = 4
    context_length: int = 2048
    rope_theta: float = 1e8
    norm_epsilon: float = 1e-5

    @property
    def head_dim(self) -> int:
        return self.hidden_size // self.head_count


class Linear(nn.Module):
    """A bias-free projection whose weight [out, in] may be rounded on its way into the product."""

    def __init__(self, in_size: int, out_size: int, std: float):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_size, in_size) * std)
        self.bits: int | None = None

    def forward(self, x: Tensor) -> Tensor:
        if self.bits is None:
            return F.linear(x, self.weight)
        if self.bits == 4:
            return F.linear(round_to_8_bit_blocks(x), round_to_4_bits(self.weight))
        return F.linear(round_to_8_bits(x), round_to_8_bits(self.weight))


def round_to_4_bits(weight: Tensor) -> Tensor:
    """Blocks of 32 along the input axis with a zero point and a fitted scale: the q4 variant's grid, as
    src/convert/quantize.ts chooses it. The gradient passes as if nothing had been rounded.
    """
    blocks = weight.detach().reshape(weight.shape[0], -1, 32)
    most, least = blocks.amax(2, keepdim=True).clamp_min(0), blocks.amin(2, keepdim=True).clamp_max(0)
    span = (most - least).clamp_min(1e-12)
    weights, best, best_gain = blocks.abs(), None, None
    for steps in (15.0, 15.8):
        zero = (-least * (steps / span) + (15 - steps) / 2).round().clamp(0, 15)
        rounded = (blocks * (steps / span) + zero).round().clamp(0, 15) - zero
        product = (weights * blocks * rounded).sum(2, keepdim=True)
        squares = (weights * rounded * rounded).sum(2, keepdim=True).clamp_min(1e-30)
        scale = (product / squares).clamp_min(1e-12)
        gain = product * product / squares
        grid = ((blocks / scale + zero).round().clamp(0, 15) - zero) * scale
        best = grid if best is None else torch.where(gain > best_gain, grid, best)
        best_gain = gain if best_gain is None else torch.maximum(gain, best_gain)
    return weight + (best.reshape(weight.shape) - weight.detach())


def round_to_8_bit_blocks(rows: Tensor) -> Tensor:
    """Blocks of 32, largest magnitude = 127: the q4 variant's activations, table and head."""
    return round_to_8_bits(rows.reshape(*rows.shape[:-1], -1, 32)).reshape(rows.shape)


def round_to_8_bits(rows: Tensor) -> Tensor:
    """One scale for each row, largest magnitude = 127: the q8 variant's grid, of weights and of activations."""
    detached = rows.detach()
    scale = detached.abs().amax(dim=-1, keepdim=True).clamp_min(1e-12) / 127
    return rows + ((detached / scale).round() * scale - detached)


class Norm(nn.Module):
    def __init__(self, size: int, epsilon: float):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.epsilon = epsilon

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x, (x.shape[-1],), self.weight.to(x.dtype), self.epsilon)


class Layer(nn.Module):
    def __init__(self, shape: ModelShape):
        super().__init__()
        hidden, inner = shape.hidden_size, shape.intermediate_size
        std, out_std = hidden**-0.5 * 0.5, hidden**-0.5 * 0.5 / (2 * shape.layer_count) ** 0.5
        self.head_count, self.head_dim = shape.head_count, shape.head_dim
        self.attention_norm = Norm(hidden, shape.norm_epsilon)
        self.q = Linear(hidden, hidden, std)
        self.k = Linear(hidden, hidden, std)
        self.v = Linear(hidden, hidden, std)
        self.o = Linear(hidden, hidden, out_std)
        self.mlp_norm = Norm(hidden, shape.norm_epsilon)
        self.gate = Linear(hidden, inner, std)
        self.up = Linear(hidden, inner, std)
        self.down = Linear(inner, hidden, out_std)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, cache: "LayerCache | None" = None) -> Tensor:
        """x [batch, length, hidden]; cos and sin [batch, 1, length, headDim]."""
        batch, length, hidden = x.shape
        h = self.attention_norm(x)
        heads = lambda y: y.view(batch, length, self.head_count, self.head_dim).transpose(1, 2)
        q, k, v = rotate(heads(self.q(h)), cos, sin), rotate(heads(self.k(h)), cos, sin), heads(self.v(h))
        if cache is None:
            a = attend(q, k, v)
        else:
            k, v = cache.append(k, v)
            a = F.scaled_dot_product_attention(q, k, v, attn_mask=cache.mask, is_causal=cache.mask is None and length > 1)
        x = x + self.o(a.transpose(1, 2).reshape(batch, length, hidden))
        h = self.mlp_norm(x)
        return x + self.down(F.silu(self.gate(h)) * self.up(h))


def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Causal attention, [batch, heads, length, headDim], in plain products: the backward pass of the CPU's fused kernel
    took a third of a training step."""
    length = q.shape[2]
    future = torch.full((length, length), float("-inf"), dtype=q.dtype).triu(1)
    scores = torch.matmul(q * q.shape[-1] ** -0.5, k.mT) + future
    return torch.matmul(torch.softmax(scores, dim=-1), v)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Hugging Face's rotary embedding: the second half of the head is the imaginary part."""
    half = x.shape[-1] // 2
    return x * cos + torch.cat((-x[..., half:], x[..., :half]), dim=-1) * sin


class LayerCache:
    """Keys and values of one layer, [batch, heads, length, headDim]. `mask` is set by the decoder for each step."""

    def __init__(self):
        self.k = self.v = self.mask = None

    def append(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        self.k = k if self.k is None else torch.cat((self.k, k), dim=2)
        self.v = v if self.v is None else torch.cat((self.v, v), dim=2)
        return self.k, self.v


class Aligner(nn.Module):
    def __init__(self, shape: ModelShape):
        super().__init__()
        self.shape = shape
        self.embedding = nn.Parameter(torch.randn(shape.vocabulary_size, shape.hidden_size) * 0.05)
        self.head = nn.Parameter(torch.randn(shape.vocabulary_size, shape.hidden_size) * 0.02)
        self.layers = nn.ModuleList(Layer(shape) for _ in range(shape.layer_count))
        self.norm = Norm(shape.hidden_size, shape.norm_epsilon)
        frequencies = shape.rope_theta ** (-torch.arange(0, shape.head_dim, 2).float() / shape.head_dim)
        self.register_buffer("frequencies", frequencies, persistent=False)
        self.bits: int | None = None

    def set_rounding(self, bits: int | None) -> None:
        """4: projections on the q4 grid. 8: projections on the q8 grid. Both: inputs, embedding and head on 8-bit
        grids. None: plain weights."""
        self.bits = bits
        for module in self.modules():
            if isinstance(module, Linear):
                module.bits = bits

    def forward(
        self, ids: Tensor, positions: Tensor, wanted: Tensor | None = None, caches: list[LayerCache] | None = None
    ) -> Tensor:
        """ids and positions [batch, length]; logits [batch, length, vocabulary], or those of the flat indices `wanted`."""
        rounded = {None: lambda x: x, 4: round_to_8_bit_blocks, 8: round_to_8_bits}[self.bits]
        embedding = rounded(self.embedding)
        angles = positions.float().unsqueeze(-1) * self.frequencies
        angles = torch.cat((angles, angles), dim=-1).unsqueeze(1)
        x = F.embedding(ids, embedding)
        if torch.is_autocast_enabled("cpu"):
            x = x.bfloat16()
        cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
        for i, layer in enumerate(self.layers):
            x = layer(x, cos, sin, None if caches is None else caches[i])
        if wanted is not None:
            x = x.reshape(-1, x.shape[-1])[wanted]
        x = self.norm(x)
        return F.linear(rounded(x), rounded(self.head))

    def parameter_count(self) -> int:
        return sum(p.numel() for p in self.parameters())
