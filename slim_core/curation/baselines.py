"""What every comparison carries: a random subset, a class-balanced one, and the oracle that knows the groups."""

from __future__ import annotations

import numpy as np

from slim_core.curation.budgets import allocate
from slim_core.curation.cells import Cell, Choice, build, capacities, cell_seed, most_repeats
from slim_core.curation.data import CurationData, Subset
from slim_core.curation.options import CurateOptions
from slim_core.errors import SpecRefusedError
from slim_core.formatting import counted, is_or_are


def random_subset(data: CurationData, size: int, seed: int, options: CurateOptions) -> Subset:
    """``size`` images drawn from all, without repeats unless asked for."""
    cell = Cell("all", None, np.arange(len(data.labels)), len(data.labels), {})
    return draw_equally(data, [cell], size, seed, options, repeats=options.repeats is True)


def class_balanced(data: CurationData, size: int, seed: int, options: CurateOptions) -> Subset:
    """The same number of random images from each class; smaller classes are repeated unless told otherwise."""
    cells = [_cell(data.called(label), label, data.labels == label) for label in range(data.n_classes)]
    return draw_equally(data, cells, size, seed, options, repeats=options.repeats is not False)


def oracle(data: CurationData, size: int, seed: int, options: CurateOptions) -> Subset:
    """The same number of random images from each true group: what perfect knowledge of the attribute would choose.

    Smaller groups are repeated unless told otherwise.

    Raises:
        SpecRefusedError: the data set has no attribute.
    """
    cells, notes = group_cells(data, "oracle")
    return draw_equally(data, cells, size, seed, options, repeats=options.repeats is not False, notes=notes)


def group_cells(data: CurationData, strategy: str) -> tuple[list[Cell], list[str]]:
    """A cell for each true group that has images, and what to say of those without one.

    Raises:
        SpecRefusedError: the data set has no attribute; ``strategy`` is named.
    """
    attributes = require_attributes(data.attributes, strategy)
    cells = [
        _cell(f"{data.called(label)}, {_called(data, a)}", label, (data.labels == label) & (attributes == a))
        for label in range(data.n_classes)
        for a in range(int(attributes.max()) + 1)
    ]
    unknown = int((attributes < 0).sum())
    left_out = f"{counted(unknown, 'image')} with an unknown attribute {is_or_are(unknown)} left out."
    notes = [left_out] if unknown else []
    return [cell for cell in cells if len(cell.members)], notes


def _called(data: CurationData, attribute: int) -> str:
    return data.attribute_names[attribute] if data.attribute_names else f"attribute {attribute}"


def require_attributes(attributes: np.ndarray | None, strategy: str) -> np.ndarray:
    """The attributes (n,) of the images to choose from, for a strategy that balances true groups.

    Raises:
        SpecRefusedError: there are none, or of no image one is known.
    """
    if attributes is None or not (attributes >= 0).any():
        raise SpecRefusedError(
            f"The strategy {strategy} balances true groups, but this data set has no attribute: name its attribute "
            f"column on import, or choose the strategy slim or class-balanced."
        )
    return attributes


def _cell(name: str, label: int, mask: np.ndarray) -> Cell:
    members = np.flatnonzero(mask)
    return Cell(name, label, members, len(members), {})


def draw_equally(
    data: CurationData,
    cells: list[Cell],
    size: int,
    seed: int,
    options: CurateOptions,
    *,
    repeats: bool,
    notes: list[str] | None = None,
) -> Subset:
    """Equal budgets, then random images of each cell."""
    cells = [cell for cell in cells if len(cell.members)]
    most = most_repeats(repeats, options)
    budgets = allocate(np.ones(len(cells)), size, capacities(cells, most))
    choices = [_at_random(c, int(n), cell_seed(seed, i)) for i, (c, n) in enumerate(zip(cells, budgets, strict=True))]
    return build(data, choices, size, most=most, notes=notes or ())


def _at_random(cell: Cell, budget: int, seed: int) -> Choice:
    rounds, rest = divmod(budget, len(cell.members))
    counts = np.full(len(cell.members), rounds, np.int64)
    counts[np.random.default_rng(seed).choice(len(counts), rest, replace=False)] += 1
    chosen = counts > 0
    return Choice(cell, budget, cell.members[chosen], counts[chosen])
