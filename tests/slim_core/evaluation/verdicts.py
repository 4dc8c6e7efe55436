"""Metrics of evaluations as the texts about them read them."""

from __future__ import annotations


def metrics(average: float, *groups: tuple[str, float, float, float]) -> dict:
    """Groups of 300 images each: name, accuracy, and its interval."""
    rows = [
        {"group": i, "name": name, "n": 300, "correct": 1, "accuracy": rate, "low": low, "high": high}
        for i, (name, rate, low, high) in enumerate(groups)
    ]
    return {"average": average, "groups": rows, "attention_precision": None}


def of_worst(wga: float) -> dict:
    """Metrics with a worst group that is large enough to be judged."""
    return {"wga": wga, "groups": [{"group": 0, "name": "a, sea", "n": 100, "accuracy": wga}]}


def plain(text: str) -> str:
    """Without Markdown."""
    return text.replace("\u00a0", " ").replace("**", "")
