"""A network with batch statistics, but without corners: at one a rounding decides which way a gradient goes."""

from __future__ import annotations

from torch import Tensor, nn

from slim_core.data.images.codec import ImageTransform
from slim_core.models.model import Model


class Smooth(nn.Module):
    """Two convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(*_block(3, 12), *_block(12, 24), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.fc = nn.Linear(24, 2)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (B, 2)."""
        logits: Tensor = self.fc(self.body(x))
        return logits


def _block(n_in: int, n_out: int) -> list[nn.Module]:
    return [nn.Conv2d(n_in, n_out, 3, 2, 1, bias=False), nn.BatchNorm2d(n_out), nn.SiLU()]


def smooth_model(transform: ImageTransform) -> Model:
    """One of it, with the weights that torch's seed gives."""
    return Model("smooth", Smooth(), 2, transform, ("level 0", "level 1"))
