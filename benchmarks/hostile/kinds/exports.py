"""Exports, by address and by command: of a campaign that hostile answers went into, and of what does not fit."""

from __future__ import annotations

from urllib.parse import quote

from hypothesis import strategies as st

from benchmarks.hostile.case import Case, Expected, Outcome
from benchmarks.hostile.clients import Request, http_request, slim
from benchmarks.hostile.drawn import drawn
from benchmarks.hostile.studio import Results, Studio
from slim_core.export.registry import FORMS, forms_of

DRAWN = 40
FOREIGN = ("r-nothing000", "c-nothing", "..", "%2e%2e", "%2fetc%2fpasswd", "%00", "'--", "x" * 3_000, "%ff")


def cases(studio: Studio, seed: int) -> list[Case]:
    """The bodies are sent before: what was taken of them must come out again, in each form."""
    at = studio.results
    ofs = {
        "train": at.model,
        "gradcam": at.attention,
        "space": at.space,
        "curate": at.subset,
        "evaluate": at.evaluation,
    }
    made = [_http(at.campaign, form.name, "accepted") for form in forms_of("campaign")]
    for kind, run in ofs.items():
        fitting = {form.name for form in forms_of(kind)}
        made += [_http(run, name, "either" if name in fitting else "refused") for name in FORMS]
    made += [_http(of, "subset-csv") for of in FOREIGN]
    made += [_http(at.subset, form) for form in ("", "..", "%2e%2e%2fx", "SUBSET-CSV", "nope", "x" * 3_000, "%00", "*")]
    drawn_names = drawn(st.text(max_size=16), DRAWN, of_seed=seed)
    made += [
        _http(at.subset, quote(name.encode("utf-8", "surrogatepass"), safe=""), is_drawn=True) for name in drawn_names
    ]
    return [*made, *_commands(at)]


def _http(of: str, form: str, expected: Expected = "refused", *, is_drawn: bool = False) -> Case:
    def send(studio: Studio) -> Outcome:
        return http_request(studio, Request(f"/api/export/{of}/{form}?token={studio.token('viewer')}"))

    return Case(f"{of[:40]} as {form[:40]}", send, expected, drawn=is_drawn)


def _commands(at: Results) -> list[Case]:
    """Where a file is written to is the caller's own right; what stands there already is not replaced."""
    forms = [form.name for form in forms_of("campaign")]
    made = [_command("accepted", "export", at.campaign, form, f"exported-{form}") for form in forms]
    made += [
        _command("accepted", "answers", "export", f"answers.{suffix}", "--campaign", at.campaign)
        for suffix in ("csv", "jsonl", "parquet")
    ]
    made += [
        _command("refused", "export", at.subset, "subset-csv", "demo", "--overwrite"),
        _command("refused", "export", at.subset, "subset-csv", "demo/metadata.csv"),
        _command("refused", "export", at.subset, "subset-csv", "n" * 5_000),
        _command("refused", "export", at.subset, "subset-csv", "/proc/nothing"),
        _command("refused", "export", at.subset, "../x", "out"),
        _command("refused", "export", "../x", "subset-csv", "out"),
        _command("refused", "export", "", "", ""),
    ]
    return made


def _command(expected: Expected, *words: str) -> Case:
    return Case("slim " + " ".join(words)[:100], lambda studio: slim(studio, *words), expected)
