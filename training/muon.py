"""Muon (Jordan et al. 2024): momentum whose update is made orthogonal, for the matrices inside the layers.

Embedding and norms stay with AdamW.
"""

import torch
from torch import Tensor


def orthogonalize(update: Tensor, steps: int = 5) -> Tensor:
    """The nearest matrix with singular values near 1, by the quintic Newton-Schulz iteration of the Muon paper.

    update [count, rows, columns], rows <= columns
    """
    a, b, c = 3.4445, -4.7750, 2.0315
    x = (update / (update.norm(dim=(1, 2), keepdim=True) + 1e-7)).bfloat16()
    for _ in range(steps):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.float()


class Muon(torch.optim.Optimizer):
    """Groups matrices of one shape so that one batched product serves them all."""

    def __init__(self, matrices: list[Tensor], lr: float, momentum: float = 0.95, weight_decay: float = 0.0):
        by_shape: dict[tuple[int, ...], list[Tensor]] = {}
        for matrix in matrices:
            by_shape.setdefault(tuple(matrix.shape), []).append(matrix)
        super().__init__([{"params": group} for group in by_shape.values()],
                         {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            gradients = torch.stack([p.grad for p in group["params"]])
            state = self.state[group["params"][0]]
            average = state.setdefault("average", torch.zeros_like(gradients))
            average.lerp_(gradients, 1 - group["momentum"])
            update = gradients.lerp(average, group["momentum"])
            rows, columns = update.shape[1:]
            update = orthogonalize(update) if rows <= columns else orthogonalize(update.mT).mT
            # The scale makes one learning rate fit every shape (Moonshot's variant: root mean square near 0.2).
            step_size = group["lr"] * 0.2 * max(rows, columns) ** 0.5
            for parameter, change in zip(group["params"], update):
                parameter.mul_(1 - group["lr"] * group["weight_decay"]).add_(change, alpha=-step_size)
