"""Eigen-CAM and Eigen-Grad-CAM: the grad-cam package's, for a whole batch at once.

A file of its own: the package takes seconds to import, and only these methods need it where maps are made.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytorch_grad_cam


def principal_component(values: np.ndarray) -> np.ndarray:
    """(B, U, V): of (B, K, U, V), the positions as K-vectors, centred, along their first principal component."""
    n, _, height, width = values.shape
    X = values.reshape(n, -1, height * width).transpose(0, 2, 1)  # (B, U V, K)
    U, S, _ = np.linalg.svd(X - X.mean(axis=1, keepdims=True), full_matrices=False)
    along = (U[:, :, 0] * S[:, :1]).reshape(n, height, width)
    is_negative = -along.min((1, 2)) > along.max((1, 2))
    found: np.ndarray = np.where(is_negative[:, None, None], -along, along)
    return found


class EigenCAM(pytorch_grad_cam.EigenCAM):  # type: ignore[misc]
    """The principal component of the activations."""

    def get_cam_image(self, *given: Any) -> np.ndarray:
        """(B, U, V), of what BaseCAM hands over: input, layer, targets, activations, gradient, smoothing."""
        return principal_component(given[3])


class EigenGradCAM(pytorch_grad_cam.EigenGradCAM):  # type: ignore[misc]
    """The principal component of the activations times their gradient."""

    def get_cam_image(self, *given: Any) -> np.ndarray:
        """(B, U, V), of the same."""
        return principal_component(given[3] * given[4])
