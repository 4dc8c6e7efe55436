"""Krippendorff's alpha for nominal answers, of which any may be missing.

K. Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011), section C: nominal data, any number of observers,
missing data. https://repository.upenn.edu/asc_papers/43
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def nominal_alpha(counts: NDArray[np.integer]) -> float:
    """1 - observed / expected disagreement: 1 perfect, 0 as by chance, below 0 contradiction.

    Args:
        counts: (units, values), how many observers gave each value to each unit. A unit that fewer than two observers
            valued has no pairs and does not count.

    Returns:
        NaN where the pairs hold one value only, or where there are none: nothing to disagree about.
    """
    observers = counts.sum(axis=1)  # m_u, (units,)
    paired = np.asarray(counts, dtype=np.float64)[observers >= 2]
    m = observers[observers >= 2]
    of_value = paired.sum(axis=0)  # n_c, (values,)
    n = of_value.sum()
    differing_in_all = n**2 - (of_value**2).sum()  # ordered pairs of different values among all n, n (n - 1) D_e
    if differing_in_all == 0:
        return float("nan")
    differing_in_units = ((m**2 - (paired**2).sum(axis=1)) / (m - 1)).sum()  # n D_o
    return float(1 - (n - 1) * differing_in_units / differing_in_all)
