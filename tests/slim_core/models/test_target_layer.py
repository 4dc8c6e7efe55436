"""The target layer, the head and the form of the map, found by watching a network, or named."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor, nn

from slim_core.errors import SpecRefusedError
from slim_core.models.build import build
from slim_core.models.model import NOT_LINEAR, NOT_THE_MEAN, inspect_network, tokens_to_map
from slim_core.result_files import NetworkFacts
from tests.refusals import missing, refusal

SIZE = 16


class Convolutional(nn.Module):
    """Conv, ReLU, conv, ReLU, mean, linear: one ReLU module for both."""

    def __init__(self, n_classes: int = 2, inplace: bool = False) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, stride=2, padding=1)
        self.second = nn.Conv2d(4, 5, 3, padding=1)
        self.relu = nn.ReLU(inplace=inplace)
        self.head = nn.Linear(5, n_classes)

    def forward(self, images):
        return self.head(self.relu(self.second(self.relu(self.first(images)))).mean((2, 3)))


class Block(nn.Module):
    """A transformer's block: attention and a perceptron, each behind a norm and beside a shortcut."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, tokens):
        x = self.norm1(tokens)
        weights = (self.query(x) @ self.key(x).transpose(1, 2)).softmax(-1)
        tokens = tokens + weights @ self.value(x)
        return tokens + self.mlp(self.norm2(tokens))


class Transformer(nn.Module):
    """Of 4 x 4 patches, ``n_prefix`` tokens before them; the head sees the first token, or their mean."""

    def __init__(self, n_prefix: int, n_classes: int = 2, width: int = 6) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, width, 4, stride=4)
        self.prefix = nn.Parameter(torch.randn(1, n_prefix, width)) if n_prefix else None
        self.blocks = nn.Sequential(Block(width), Block(width))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, n_classes)

    def forward(self, images):
        tokens = self.patches(images).flatten(2).transpose(1, 2)  # (N, 16, width)
        if self.prefix is None:
            return self.head(self.norm(self.blocks(tokens)).mean(1))
        tokens = torch.cat([self.prefix.expand(len(images), -1, -1), tokens], 1)
        return self.head(self.norm(self.blocks(tokens))[:, 0])


class Flat(nn.Module):
    """A perceptron: no layer of it knows a position."""

    def __init__(self, n_classes: int = 2) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(3 * SIZE**2, 8), nn.ReLU(), nn.Linear(8, n_classes))

    def forward(self, images):
        return self.layers(images)


@pytest.mark.parametrize(
    ("name", "target_layer", "map_shape", "head", "path"),
    [
        ("small-resnet", "stages", (64, 8, 8), "fc", "forward"),
        ("resnet18", "layer4", (512, 2, 2), "fc", "forward"),
        ("swin_t", "permute", (768, 2, 2), "head", "forward"),
        pytest.param(
            *("vit_b_16", "encoder.layers.encoder_layer_11.ln_1", (768, 4, 4), "heads.head", "gradient"),
            marks=pytest.mark.slow,
        ),
        ("convnext_tiny", "features", (768, 2, 2), "classifier.2", "gradient"),
        ("timm:resnet18", "layer4", (512, 2, 2), "fc", "forward"),
        ("timm:vit_tiny_patch16_224", "blocks.11.norm1", (192, 4, 4), "head", "gradient"),
        ("timm:swin_tiny_patch4_window7_224", "norm", (768, 2, 2), "head.fc", "forward"),
        ("timm:convnext_atto", "stages", (320, 2, 2), "head.fc", "gradient"),
        ("timm:vit_small_patch14_reg4_dinov2", "blocks.11.norm1", (384, 4, 4), "head", "gradient"),
    ],
)
def test_layer_form_head_and_path_of_known_networks(name, target_layer, map_shape, head, path):
    if name.startswith("timm:"):
        pytest.importorskip("timm")
    size = 56 if "patch14" in name else 64
    facts = build(name, 3, weights="none", image_size=size).layout.facts
    assert (facts.target_layer, facts.map_shape, facts.head, facts.path) == (target_layer, map_shape, head, path)
    assert target_layer in facts.layers
    assert facts.reason == ("" if path == "forward" else NOT_THE_MEAN)


@pytest.mark.parametrize("n_prefix", [1, 5])
def test_behind_the_last_attention_only_the_class_token_counts(n_prefix):
    net = Transformer(n_prefix)
    layout = inspect_network(net, SIZE)
    assert layout.target_layer is net.blocks[1].norm1
    assert (layout.facts.map_shape, layout.pools_linearly) == ((6, 4, 4), False)
    tokens = torch.randn(2, n_prefix + 16, 6)
    assert torch.equal(layout.form.map_of(tokens)[:, :, 1, 2], tokens[:, n_prefix + 6])


def test_a_linear_head_on_the_mean_of_the_tokens_needs_no_gradient():
    net = Transformer(0)
    layout = inspect_network(net, SIZE)
    assert layout.target_layer is net.norm and layout.pools_linearly


class Weights(nn.Module):
    """Of an attention, made by a layer of its own."""

    def forward(self, products):
        return products.softmax(-1)


class Heads(nn.Module):
    """An attention of two heads whose weights (N, 2, T, T) are what a layer gives, as in many networks of one's own."""

    def __init__(self, attend):
        super().__init__()
        self.norm, self.to_qkv, self.attend = nn.LayerNorm(6), nn.Linear(6, 18), attend

    def forward(self, tokens):
        query, key, value = self.to_qkv(self.norm(tokens)).unflatten(2, (3, 2, 3)).permute(2, 0, 3, 1, 4)
        return tokens + (self.attend(query @ key.transpose(2, 3)) @ value).transpose(1, 2).flatten(2)


@pytest.mark.parametrize("attend", [nn.Softmax(-1), Weights()])
def test_the_weights_of_an_attention_are_no_map(attend):
    net = Transformer(1)
    net.blocks = nn.Sequential(Heads(attend), Heads(attend))
    layout = inspect_network(net, SIZE)
    assert (layout.facts.target_layer, layout.facts.map_shape) == ("blocks.1.norm", (6, 4, 4))


class OverChannels(nn.Module):
    """An attention of the channels to each other: its weights (N, 1, K, K) are no map either."""

    def __init__(self):
        super().__init__()
        self.norm, self.attend = nn.LayerNorm(6), nn.Softmax(-1)

    def forward(self, tokens):
        x = self.norm(tokens)
        return x @ self.attend((x.transpose(1, 2) @ x)[:, None])[:, 0]


def test_the_weights_of_an_attention_over_channels_are_no_map():
    net = Transformer(1)
    net.blocks = nn.Sequential(Block(6), OverChannels())
    assert inspect_network(net, SIZE).facts.target_layer == "blocks.1.norm"


class AttentionPooling(nn.Module):
    """A convolution, and a mean weighted by convolutions of it: by a softmax or a gate."""

    def __init__(self, n_scores: int, weigh: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 6, 3, stride=2, padding=1), nn.ReLU())
        self.scores = nn.Conv2d(6, n_scores, 1)
        self.weigh = weigh
        self.head = nn.Linear(6, 2)

    def forward(self, images):
        maps = self.features(images)
        weights = self.weigh(self.scores(maps).flatten(2))  # (N, n_scores, U V)
        return self.head((maps.flatten(2)[:, None] * weights[:, :, None]).sum(3).mean(1))


@pytest.mark.parametrize(
    ("n_scores", "weigh"),
    [(1, partial(torch.softmax, dim=-1)), (3, partial(torch.softmax, dim=-1)), (1, torch.sigmoid)],
)
def test_the_scores_by_which_a_pooling_weighs_the_positions_are_no_map_unless_named(n_scores, weigh):
    net = AttentionPooling(n_scores, weigh)
    assert inspect_network(net, SIZE).facts.target_layer == "features"
    assert inspect_network(net, SIZE, target_layer="scores").facts.target_layer == "scores"


class Flattened(nn.Module):
    """A layer of its own flattens the map (N, K, 4, 4): one that knows positions by their number alone."""

    def __init__(self, n_channels):
        super().__init__()
        self.maps, self.flat = nn.Conv2d(3, n_channels, 4, stride=4), nn.Flatten(2)
        self.head = nn.Linear(n_channels, 2)

    def forward(self, images):
        return self.head(self.flat(self.maps(images)).mean(2))


@pytest.mark.parametrize("n_channels", [5, 16, 25])  # 16: as many as there are positions; 25: a square of its own
def test_a_flattened_map_keeps_its_positions(n_channels):
    net = Flattened(n_channels)
    layout, maps = inspect_network(net, SIZE), torch.randn(2, n_channels, 4, 4)
    assert layout.target_layer is net.flat and layout.pools_linearly
    assert torch.equal(layout.form.map_of(net.flat(maps)), maps)


class PooledInside(Flattened):
    """With a pooling whose output, one value a channel or four of them, the last layers of the network take."""

    def __init__(self, pool):
        super().__init__(16)
        self.pool = pool

    def forward(self, images):
        return self.head(self.pool(self.maps(images)).mean(2))


@pytest.mark.parametrize(
    ("pool", "target_layer"),
    [
        (nn.Sequential(nn.Flatten(2), nn.AdaptiveAvgPool1d(1)), "pool.0"),
        (nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(2)), "maps"),
        (nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten(2)), "pool"),
    ],
)
def test_channels_behind_a_pooling_are_no_positions(pool, target_layer):
    """A Swin-B, as its authors wrote it, has 1,024 of them there: 32 x 32."""
    layout = inspect_network(PooledInside(pool), SIZE)
    assert layout.facts.target_layer == target_layer and layout.facts.map_shape[0] == 16


class BatchSecond(nn.Module):
    """Blocks of torch's own, which by default take tokens (T, N, K)."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(*(nn.TransformerEncoderLayer(6, 2, 12) for _ in range(2)))

    def forward(self, tokens):
        return self.layers(tokens.transpose(0, 1)).transpose(0, 1)


@pytest.mark.parametrize(("n_prefix", "target_layer"), [(0, "norm"), (1, "blocks.layers.0")])
def test_tokens_are_found_where_the_batch_comes_second(n_prefix, target_layer):
    net = Transformer(n_prefix)
    net.blocks = BatchSecond()
    assert inspect_network(net, SIZE).facts.target_layer == target_layer
    layout, tokens = inspect_network(net, SIZE, target_layer="blocks.layers.0"), torch.randn(n_prefix + 16, 3, 6)
    assert layout.facts.map_shape == (6, 4, 4)
    assert torch.equal(layout.form.map_of(tokens)[1, :, 1, 2], tokens[n_prefix + 6, 1])


class Necked(Convolutional):
    """With a batch norm between mean and head, which hands its input on as it is until it is trained."""

    def __init__(self):
        super().__init__()
        self.neck = nn.BatchNorm1d(5)

    def forward(self, images):
        maps = self.relu(self.second(self.relu(self.first(images))))
        return self.head(self.neck(maps.mean((2, 3))))


def test_a_new_layer_between_mean_and_head_takes_a_gradient_as_it_will_when_it_is_trained():
    net = Necked()
    assert not inspect_network(net, SIZE).pools_linearly
    net.neck.running_var.fill_(4.0)
    assert not inspect_network(net, SIZE).pools_linearly


class WithoutGradient(Convolutional):
    """Its backbone is frozen by torch.no_grad."""

    def forward(self, images):
        with torch.no_grad():
            maps = self.relu(self.first(images))
        return self.head(self.relu(maps.mean((2, 3)).repeat(1, 2)[:, :5]))


def test_a_network_that_computes_without_a_gradient_is_refused_with_the_way_to_freeze_its_layers():
    with pytest.raises(SpecRefusedError, match="gradient .torch\\.no_grad.*requires_grad_"):
        inspect_network(WithoutGradient(), SIZE, called="Frozen")


class WithoutWeights(nn.Module):
    """Two logits, of nothing that could be trained."""

    def __init__(self):
        super().__init__()
        self.blur, self.head = nn.AvgPool2d(4), nn.ReLU()

    def forward(self, images):
        return self.head(self.blur(images)).mean((2, 3))[:, :2]


def test_a_network_without_weights_has_a_map_too():
    assert inspect_network(WithoutWeights(), SIZE).facts.target_layer == "head"


class CalledByName(Convolutional):
    """The head takes its input by name."""

    def forward(self, images):
        return self.head(input=self.relu(self.second(self.relu(self.first(images)))).mean((2, 3)))


def test_a_last_layer_whose_input_has_a_name_takes_a_gradient():
    layout = inspect_network(CalledByName(), SIZE)
    assert (layout.facts.target_layer, layout.facts.path) == ("relu", "gradient")


def test_a_head_of_zeros_hides_nothing():
    """torchvision's vision transformers begin with one."""
    net = Transformer(1)
    nn.init.zeros_(net.head.weight)
    assert inspect_network(net, SIZE).target_layer is net.blocks[1].norm1


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_it_is_found_also_where_nothing_else_needs_a_gradient_and_leaves_none(mode):
    net = Transformer(1).requires_grad_(False)
    with mode():
        assert inspect_network(net, SIZE).target_layer is net.blocks[1].norm1
        assert not torch.is_grad_enabled()
    assert all(parameter.grad is None for parameter in net.parameters())


def test_a_layer_that_is_used_twice_counts_by_what_it_gave_last():
    net = Convolutional()
    layout = inspect_network(net, SIZE)
    assert layout.target_layer is net.relu and layout.facts.map_shape == (5, 8, 8) and layout.pools_linearly
    again = inspect_network(Convolutional(inplace=True), SIZE)
    assert again.facts.map_shape == (5, 8, 8) and again.pools_linearly


def test_a_network_without_positions_is_refused_with_the_reason():
    with refusal(SpecRefusedError, "Flat", "--no-attention"):
        inspect_network(Flat(), SIZE)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("frst", "small has no layer 'frst': take first.$"),
        ("zzz", "small has no layer 'zzz': choose one of first, second, relu.$"),
        ("heads", "small has no layer 'heads': choose one of first, second, relu.$"),  # head has no map
        ("head", "positions: choose one of first, second, relu.$"),
    ],
)
def test_a_named_layer_that_cannot_be_the_target_is_refused_with_those_that_can(name, message):
    with pytest.raises(SpecRefusedError, match=message):
        inspect_network(Convolutional(), SIZE, target_layer=name, called="small")


def test_a_named_layer_on_which_nothing_depends_is_refused():
    with pytest.raises(SpecRefusedError, match="layer norm: choose one of patches, bl"):
        inspect_network(Transformer(1), SIZE, target_layer="norm", called="small")


def test_a_named_layer_is_taken_and_its_own_path_found():
    net = build("small-resnet", 2).net
    earlier = inspect_network(net, 64, target_layer="stages.1")
    assert (earlier.target_layer, earlier.pools_linearly) == (net.stages[1], False)
    assert earlier.facts.map_shape == (32, 16, 16) and earlier.facts.reason == NOT_THE_MEAN
    assert inspect_network(net, 64, target_layer="stages.2").pools_linearly


def test_the_layers_that_are_offered_are_whole_blocks():
    assert build("small-resnet", 2).layout.facts.layers == ("stem", "stages.0", "stages.1", "stages")
    layers = inspect_network(Transformer(1), SIZE).facts.layers
    assert layers == ("patches", "blocks.0", "blocks.1.norm1")


def test_a_head_that_is_no_linear_layer_is_named_as_the_reason():
    facts = build("squeezenet1_1", 3, weights="none", image_size=64).layout.facts
    assert (facts.head, facts.reason) == (None, NOT_LINEAR)


@pytest.mark.slow
def test_a_linear_layer_whose_logits_are_changed_behind_it_is_no_head():
    """What is fitted on pooled features would be another model than what the network then predicts."""

    class Adjusted(Convolutional):
        def forward(self, images):
            logits = super().forward(images)
            logits += torch.tensor([0.5, 0.0])  # in place, as for the frequencies of classes
            return logits

    found = inspect_network(Adjusted(), SIZE)
    assert found.head is None and not found.pools_linearly and found.facts.reason == NOT_LINEAR


def test_what_is_kept_of_a_network_comes_back_and_reads_as_two_sentences():
    facts = build("vit_b_16", 2, weights="none", image_size=32).layout.facts
    assert NetworkFacts.from_json(facts.to_json()) == facts
    assert not missing(
        facts.described, "encoder.layers.encoder_layer_11.ln_1", "768", "2 x 2", "backward", facts.reason
    )


def test_tokens_become_a_map_of_the_width_that_is_given():
    tokens = torch.arange(12.0).reshape(1, 6, 2)
    assert tokens_to_map(tokens, 0, width=3)[0, 0].tolist() == [[0, 2, 4], [6, 8, 10]]
