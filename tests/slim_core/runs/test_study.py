"""Studies: one file, every combination once, the same numbers twice."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from slim_core.data.sets import demo_set
from slim_core.errors import NotFoundError, SlimError, SpecRefusedError
from slim_core.evaluation.study.summary import Result, result_of
from slim_core.runs.executor import Workbench
from slim_core.runs.study import awaited, run, sets
from slim_core.runs.study.cases import cases, units
from slim_core.runs.study.run import run_study
from slim_core.runs.study.spec import Study, read_study
from slim_core.signal_event import SignalEvent
from slim_core.store.database import DatabaseAwayError
from tests.slim_core.conftest import open_bench

ROOT = Path(__file__).parents[3]
SMALL = {"train": 200, "val": 60, "test": 80}
TINY = {
    "name": "tiny",
    "sets": [{"set": "digits", "parameters": SMALL, "train": {"epochs": 1, "batch_size": 32}}],
    "methods": ["erm", "random", "slim"],
    "seeds": [0],
}
NOT_NUMBERS = {"seconds", "waited_s", "model", "evaluation"}


def numbers(entries):
    return [{key: value for key, value in entry.items() if key not in NOT_NUMBERS} for entry in entries]


@pytest.mark.slow
def test_the_same_file_twice_gives_the_same_numbers_and_computes_nothing_twice(tmp_path, workbench):
    file = tmp_path / "tiny.yaml"
    file.write_text(json.dumps(TINY))  # JSON is YAML
    said = []
    study_id = run_study(workbench, read_study(file), report=said.append)
    assert [progress.done for progress in said] == [1, 2, 3]
    first, n_runs = result_of(workbench.store, study_id), len(workbench.store.runs.all())
    assert run_study(workbench, read_study(file)) == study_id
    assert len(workbench.store.runs.all()) == n_runs
    elsewhere = open_bench(tmp_path / "elsewhere")
    other = result_of(elsewhere.store, run_study(elsewhere, read_study(file), jobs=2))
    assert numbers(other.entries) == numbers(first.entries)
    assert {entry["status"] for entry in first.entries} == {"done"}
    elsewhere.store.close()


@pytest.mark.parametrize(("seeds", "n_processes"), [([0], 1), ([0, 1], 2), ([0, 1, 2, 3], 3)])
def test_no_more_processes_are_started_than_there_are_sets_and_seeds(seeds, n_processes, workbench, monkeypatch):
    started = []

    @contextlib.contextmanager
    def processes(jobs, _threads):
        started.append(jobs)
        with ThreadPoolExecutor(jobs) as pool:
            yield pool

    monkeypatch.setattr(run, "_processes", processes)
    monkeypatch.setattr(run, "_unit_in_process", lambda *_: None)
    run_study(workbench, Study(**TINY | {"seeds": seeds}), jobs=3)
    assert started == [n_processes]


@pytest.mark.slow
def test_several_draws_count_with_their_mean_and_what_chance_does_not_decide_is_computed_once(workbench):
    drawn = Study(**TINY | {"draws": 3})
    result = result_of(workbench.store, run_study(workbench, drawn))
    by_method = {entry["method"]: entry for entry in result.entries}
    assert "draws" not in by_method["erm"], "its model is the reference"
    for method in ("random", "slim"):
        entry = by_method[method]
        assert len(entry["draws"]) == 3 and len({one["evaluation"] for one in entry["draws"]}) == 3
        for rate in ("wga", "average"):
            assert entry[rate] == pytest.approx(sum(one[rate] for one in entry["draws"]) / 3)
        evaluated = [workbench.store.runs.fetch(one["evaluation"]).metrics["wga"] for one in entry["draws"]]
        assert evaluated == [one["wga"] for one in entry["draws"]]
    assert result.frame["wga"].tolist() == [by_method[name]["wga"] for name in ("erm", "random", "slim")]
    once = result_of(workbench.store, run_study(workbench, Study(**TINY)))
    first = {entry["method"]: entry["wga"] for entry in once.entries}
    assert first["slim"] == by_method["slim"]["draws"][0]["wga"], "the first draw is that of a study of one"


def test_draws_are_part_of_what_is_asked_for_and_one_is_what_a_study_without_them_asks():
    assert Study(**TINY | {"draws": 1}).digest == Study(**TINY).digest != Study(**TINY | {"draws": 2}).digest


@pytest.mark.slow
def test_a_method_can_train_by_fields_of_its_own_and_the_others_train_as_without(workbench):
    own = {"rwy": {"lr": 0.002, "weight_decay": 0.1}}
    one = TINY["sets"][0] | {"train_by_method": own}
    methods = {"methods": ["erm", "rwy", "erm-converged"], "against": "erm"}
    result = result_of(workbench.store, run_study(workbench, Study(**TINY | methods | {"sets": [one]})))
    specs = {entry["method"]: workbench.store.runs.fetch(entry["model"]).spec for entry in result.entries}
    assert {name: spec["lr"] for name, spec in specs.items()} == {"erm": 0.05, "rwy": 0.002, "erm-converged": 0.05}
    assert specs["rwy"]["weight_decay"] == 0.1 and specs["rwy"]["epochs"] == 1


@pytest.mark.slow
def test_a_method_can_refit_by_options_of_its_own_and_the_others_refit_as_without(workbench):
    grid = {"gammas": [1, 2], "penalties": [0], "steps": 10}
    early = {"sizes": [4], "lrs": [0.01]}
    one = TINY["sets"][0] | {"refit_by_method": {"afr": grid, "self": early}}
    methods = {"methods": ["erm", "afr", "afr-train-fifth", "self"], "against": "erm"}
    result = result_of(workbench.store, run_study(workbench, Study(**TINY | methods | {"sets": [one]})))
    assert {entry["method"]: entry["status"] for entry in result.entries}.keys() == set(methods["methods"])
    options = {
        entry["method"]: workbench.store.runs.fetch(entry["model"]).spec.get("refit_options")
        for entry in result.entries
    }
    assert options["afr"] == {**grid, "lr": 0.01}
    assert options["afr-train-fifth"]["steps"] == 500
    assert options["self"]["sizes"] == [4] and options["self"]["early"]


@pytest.mark.slow
def test_the_time_left_is_estimated_from_cases_that_are_computed_now(workbench):
    asked, said = TINY | {"methods": ["erm", "random"], "against": "erm"}, []
    run_study(workbench, Study(**asked))
    more = Study(**asked | {"methods": ["erm", "random", "class-balanced", "oracle"]})
    study_id = run_study(workbench, more, report=said.append)
    assert [one.left_s is None for one in said] == [True, True, False, False], "the first two were there"
    assert said[2].left_s > 0 == said[3].left_s
    waited = [entry["waited_s"] for entry in workbench.store.studies.entries(study_id).values()]
    assert waited[:2] == [0, 0] and min(waited[2:]) > 0


@pytest.mark.slow
def test_a_method_that_fails_keeps_its_sentence_and_the_others_their_numbers(plain_folder, workbench):
    study = Study(
        name="plain",
        sets=[{"data": str(plain_folder), "model": "small-resnet", "train": {"epochs": 1, "batch_size": 32}}],
        methods=["erm", "slim"],
        seeds=[0],
    )
    result = result_of(workbench.store, run_study(workbench, study))
    found = {entry["method"]: entry for entry in result.entries}
    assert found["erm"]["status"] == "done"
    assert found["slim"]["status"] == "failed" and "has no masks" in found["slim"]["message"]


def test_a_method_that_needs_groups_is_refused_where_no_data_has_them(plain_folder, workbench):
    study = Study(name="plain", sets=[{"data": str(plain_folder)}], methods=["slim", "group-dro"], seeds=[0])
    with pytest.raises(SpecRefusedError, match="no attribute column, and group-dro uses groups.*leave group-dro out"):
        run_study(workbench, study)
    assert workbench.store.studies.all() == []


def test_methods_that_need_groups_are_refused_all_at_once_where_no_data_has_them(plain_folder, workbench):
    study = Study(name="plain", sets=[{"data": str(plain_folder)}], methods=["oracle", "slim", "dfr"], seeds=[0])
    with pytest.raises(
        SpecRefusedError,
        match="oracle, dfr use groups in validation, groups in training: leave oracle, dfr out",
    ):
        run_study(workbench, study)


def test_a_model_that_a_study_does_not_name_is_proposed_as_by_slim_run_and_kept_with_it(
    plain_folder, workbench, monkeypatch
):
    def taken(study: Study) -> list[str | None]:
        models = []
        monkeypatch.setattr(run, "run_unit", lambda _at, _study, unit, *_: models.append(unit.set.model))
        run_study(workbench, study)
        return models

    frozen, demo = {"data": str(plain_folder), "name": "last layers", "frozen": True}, "digits"
    asked = {"name": "plain", "sets": [{"data": str(plain_folder)}, frozen, demo], "methods": ["erm"], "against": "erm"}
    study = Study(**asked, seeds=[0])
    assert taken(study) == ["small-resnet", "resnet18", None], "what a demo set is made for is the same everywhere"
    (kept,) = workbench.store.studies.all()
    assert [one["model"] for one in kept.spec["sets"]] == ["small-resnet", "resnet18", None]
    monkeypatch.setattr(sets, "model_for", lambda *_, **__: "resnet50")  # on a machine with a GPU
    assert taken(study) == ["small-resnet", "resnet18", None]
    assert taken(Study(**asked, seeds=[1])) == ["resnet50", "resnet50", None]


def test_a_study_from_before_models_were_kept_goes_on_with_those_that_it_had(plain_folder, workbench, monkeypatch):
    study = Study(name="plain", sets=[{"data": str(plain_folder)}], methods=["erm"], against="erm", seeds=[0])
    workbench.store.studies.start(study.name, study.digest, study.every_field(), 1)
    seen = []
    monkeypatch.setattr(run.LoopConfig, "training_spec", lambda config, **_: seen.append(config.model))
    monkeypatch.setattr(run.Loop, "outcome", lambda *_: 1 / 0)
    run_study(workbench, study)
    assert seen == ["resnet50"]


def test_a_new_study_whose_data_cannot_be_read_is_refused_where_its_model_depends_on_them(tmp_path, workbench):
    missing = {"data": str(tmp_path / "missing")}
    study = Study(name="two", sets=["digits", missing], methods=["erm"], against="erm", seeds=[0])
    with pytest.raises(NotFoundError, match="neither a registered data set nor a folder"):
        run_study(workbench, study)
    assert workbench.store.studies.all() == []


def test_answers_and_annotators_multiply_only_the_methods_that_use_answers():
    study = Study(
        **TINY
        | {
            "seeds": "0-1",
            "annotators": ["perfect", {"name": "careless", "flip": 0.05, "unsure": 0.25}],
            "curve": [0.01, 0.02, 0.03],
        }
    )
    keys = [case.key for case in cases(study)]
    assert len(keys) == len(set(keys)) == 2 * (2 + 2 + 2)  # erm, random; slim by two; two more shares by the first
    assert keys[:6] == [
        "digits 0 erm",
        "digits 0 random",
        "digits 0 slim perfect 0.03",
        "digits 0 slim careless 0.03",
        "digits 0 slim perfect 0.01",
        "digits 0 slim perfect 0.02",
    ]


def test_further_annotators_can_be_for_some_methods_alone():
    careless = {"name": "careless", "flip": 0.05}
    study = Study(**TINY | {"methods": ["slim", "slim-reference"], "annotators": ["perfect", careless]})
    narrow = study.model_copy(update={"varied": ("slim",)})
    assert [case.annotator for case in cases(study)] == ["perfect", "careless", "perfect", "careless"]
    assert [(case.method, case.annotator) for case in cases(narrow)] == [
        ("slim", "perfect"),
        ("slim", "careless"),
        ("slim-reference", "perfect"),
    ]


@pytest.mark.parametrize("file", sorted((ROOT / "benchmarks" / "studies").glob("*.yaml")), ids=lambda file: file.stem)
def test_the_studies_of_the_benchmark_ask_for_what_there_is(file):
    study = read_study(file)
    assert study.name == file.stem
    assert len({case.key for case in cases(study)}) == len(cases(study))


def test_a_set_of_files_that_are_not_there_is_refused_before_any_work_and_a_study_of_it_is_read_without_them(workbench):
    cutouts = {"set": "cutouts", "parameters": {"source": str(workbench.store.settings.home / "none")}}
    study = Study(**TINY | {"sets": ["digits", cutouts]})
    with pytest.raises(SpecRefusedError, match="none/objects cannot be read"):
        run_study(workbench, study)
    assert not workbench.store.studies.all() and not workbench.store.datasets.all()


def test_what_is_reported_is_what_was_chosen_on_with_other_seeds():
    choose, report = (read_study(ROOT / "benchmarks" / "studies" / f"{name}.yaml") for name in ("choose", "report"))
    assert not set(choose.seeds) & set(report.seeds)
    assert choose.sets == report.sets


def test_a_field_that_was_added_later_changes_no_digest_and_is_kept_with_the_study():
    before = Study(name="old", sets=["digits"], methods=["slim"], seeds=[0])
    frozen = Study(name="old", sets=[{"set": "digits", "frozen": True}], methods=["slim"], seeds=[0])
    assert before.digest == "a9acc4318f7cac8818744bd9b77af283f100e110471839c3c0f38a86848eaff1", "of studies that exist"
    assert frozen.digest == "b76742efacf7750212d033bda1a6213760f6ef248319eda8989d693c8368c315"
    assert [study.every_field()["sets"][0]["frozen"] for study in (before, frozen)] == [False, True]


@pytest.mark.parametrize("data", [".", "..", "../birds", "../birds/.", "{folder}/", "data/birds"])
def test_a_folder_has_one_name_in_the_table_and_elsewhere_wherever_it_is_seen_from(data, tmp_path, monkeypatch):
    (folder := tmp_path / "birds" / "birds").mkdir(parents=True)
    monkeypatch.chdir(folder)
    study = Study(**TINY | {"sets": [{"data": data.format(folder=folder)}]})
    kept = json.loads(json.dumps(study.every_field()))
    monkeypatch.chdir(tmp_path)  # as the dashboard, which runs elsewhere
    assert Result(kept, []).sets == [unit.set.called for unit in units(study)] == ["birds"]


def test_a_study_of_another_name_asks_the_same():
    assert Study(**TINY).digest == Study(**TINY | {"name": "again"}).digest
    assert Study(**TINY).digest != Study(**TINY | {"seeds": [1]}).digest


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"methods": []}, "methods is .*an empty list; name at least one"),
        ({"seeds": []}, "seeds is .*an empty list"),
        ({"sets": []}, "sets is .*an empty list"),
        ({"annotators": []}, "annotators is .*an empty list"),
        ({"methods": ["slim", "magic"]}, "no method 'magic': choose from erm"),
        ({"methods": ["slim", "slim-no-answer"]}, r"no method 'slim-no-answer': take slim-no-answers\.$"),
        ({"methods": ["erm"]}, "slim is measured against, but is not among the methods: add it, or name one of"),
        ({"sets": "digits"}, r"sets is 'digits': give a list, such as \[digits\]"),
        ({"seeds": 0}, r"seeds is 0: give a list, such as \[0\]"),
        (
            {"sets": [{"set": "digits", "train": {"epoch": 3}}]},
            "The set digits cannot .* has no field 'epoch': take epochs",
        ),
        ({"sets": [{"set": "digits", "train": {"epochs": 0}}]}, "The set digits cannot .* refuses epochs = 0"),
        ({"sets": [{"set": "digits", "model": "nonet"}]}, "The set digits cannot .* refuses model = 'nonet'"),
        ({"sets": [{"set": "digits", "curation": {"kep": "all"}}]}, "The set digits .* has no option 'kep'"),
        (
            {"sets": [{"set": "digits", "train_by_method": {"random": {"epoch": 3}}}]},
            "The set digits cannot .* has no field 'epoch'",
        ),
        (
            {"sets": [{"set": "digits", "train_by_method": {"jtt": {"lr": 1e-5}}}]},
            "train_by_method names 'jtt', which is not among the methods: choose among erm, random, slim",
        ),
        (
            {"sets": [{"set": "digits", "refit_by_method": {"random": {"lr": 1e-5}}}]},
            "refit_by_method names 'random', which is not among the methods that refit a last layer: leave it out",
        ),
        (
            {"methods": ["slim", "afr"], "sets": [{"set": "digits", "refit_by_method": {"slim": {}}}]},
            "refit_by_method names 'slim', .* refit a last layer: choose among afr",
        ),
        (
            {"methods": ["slim", "afr"], "sets": [{"set": "digits", "refit_by_method": {"afr": {"gamma": [1]}}}]},
            "The refit afr has no option 'gamma': take gammas, penalties, lr, steps",
        ),
        (
            {"methods": ["slim", "afr"], "sets": [{"set": "digits", "refit_by_method": {"afr": {"steps": 0}}}]},
            "The refit afr refuses steps = 0",
        ),
        (
            {"methods": ["slim", "self"], "sets": [{"set": "digits", "refit_by_method": {"self": {"early": "x"}}}]},
            "The refit self gets the option early from its method: leave it out",
        ),
        (
            {"sets": [{"set": "digits", "maps_on_test": True}]},
            r"The set digits has maps_on_test, which is of last layers \(frozen: true\): leave it out",
        ),
        ({"sets": ["magic"]}, "No demo set is named 'magic': choose one of digits"),
        ({"sets": [{"set": "digits", "parameters": {"colour": 1}}]}, "The set digits has no colour"),
        ({"sets": [{}]}, "give set .* or data"),
        ({"sets": ["digits", "digits"]}, "The set digits occurs twice"),
        (
            {"sets": ["digits", {"set": "digits", "name": "Mean over sets"}]},
            "'Mean over sets', as the table .*: give it",
        ),
        ({"seeds": "four"}, "The seeds are 'four': give a list, or a range such as 0-4"),
        ({"seeds": [-1]}, "The seeds hold -1: give 0 to 4294967295"),
        ({"seeds": "4294967294-4294967296"}, "The seeds hold 4294967296: give 0 to 4294967295"),
        ({"curve": [2.0]}, "The curve has the share 2.0"),
        ({"annotators": [{"name": "lost", "flip": 0.6, "unsure": 0.6}]}, "The annotator lost has flip 0.6"),
        ({"annotators": [{"name": "lost", "flip": 2}]}, "flip is 2"),
        ({"answers": 0}, "answers is 0"),
        ({"draws": 0}, "draws is 0"),
        ({"draws": 101}, "draws is 101"),
        ({"colour": "red"}, "There is no setting 'colour': choose from name, sets, "),
        ({"sedes": [1]}, r"There is no setting 'sedes': take seeds\.$"),
    ],
)
def test_what_a_study_cannot_ask_for_is_one_sentence(change, sentence):
    with pytest.raises(SpecRefusedError, match=sentence):
        Study(**TINY | change)


def test_a_file_that_is_no_study_is_named(tmp_path):
    file = tmp_path / "study.yaml"
    for text, sentence in (("methods: [slim", "is not YAML in line 1"), ("- slim", "is not a study: it needs")):
        file.write_text(text)
        with pytest.raises(SpecRefusedError, match=sentence):
            read_study(file)
    with pytest.raises(SpecRefusedError, match="cannot be read"):
        read_study(tmp_path / "nowhere.yaml")


@pytest.mark.kills_processes
@pytest.mark.slow
def test_the_processes_of_a_study_that_is_killed_end():
    program = (
        "import os, time\n"
        "from slim_core.runs.study.run import _processes\n"
        "if __name__ == '__main__':\n"
        "    with _processes(1, 1) as pool:\n"
        "        print(pool.submit(os.getpid).result(), flush=True)\n"
        "        pool.submit(time.sleep, 600).result()\n"
    )
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "program.py").write_text(program)
        command = [sys.executable, str(Path(folder) / "program.py")]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
            child = psutil.Process(int(parent.stdout.readline()))
            parent.kill()
    with contextlib.suppress(psutil.NoSuchProcess):
        child.wait(60)


@pytest.mark.kills_processes
@pytest.mark.slow
def test_ctrl_c_ends_the_processes_of_a_study_in_the_middle_of_their_units(tmp_path):
    program = (
        "import signal\n"
        "from slim_core.runs.study import run\n"
        "def unit():\n"
        "    print('begun', flush=True)\n"
        "    print('ended', run._interrupted.wait(600), flush=True)\n"
        "if __name__ == '__main__':\n"
        "    signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # what a shell starts with & ignores it
        "    with run._processes(1, 1) as pool:\n"
        "        pool.submit(unit).result()\n"
    )
    (tmp_path / "program.py").write_text(program)
    command = [sys.executable, str(tmp_path / "program.py")]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as parent:
        try:
            assert parent.stdout.readline() == "begun\n"
            os.killpg(parent.pid, signal.SIGINT)  # as a terminal does
            said, errors = parent.communicate(timeout=60)
        finally:
            parent.kill()
    assert said == "ended True\n"
    assert parent.returncode == -signal.SIGINT
    assert errors.count("KeyboardInterrupt") == 1, errors


class _Queue:
    """A queue whose workers are slow: its runs never end. As soon as two are submitted, Ctrl-C is pressed."""

    by = "somebody"

    def __init__(self, store):
        self.store = store
        self.two_are_there = threading.Barrier(2, lambda: os.kill(os.getpid(), signal.SIGINT), timeout=60)

    def submit(self, spec, **options):
        run, _ = self.store.runs.submit(spec, **options)
        self.two_are_there.wait()
        return run

    def wait(self, run):
        time.sleep(20)
        raise SlimError(f"It waited for {run.id}, although it was interrupted.")

    def has_gpu(self):
        return False


@pytest.fixture
def ctrl_c():
    """Ctrl-C interrupts, also where a shell started the tests with & and they ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.slow
@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_ends_a_study_that_waits_for_the_queue_and_leaves_its_runs_there(workbench):
    queue = _Queue(workbench.store)
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run_study(Workbench(workbench.store, queue), Study.model_validate(TINY | {"seeds": [0, 1, 2]}), jobs=2)
    assert time.monotonic() - started < 15, "it does not wait for the end of a unit"
    assert [run.status for run in workbench.store.runs.all()] == ["queued"] * 2, "they go on, and no other came after"
    (kept,) = workbench.store.studies.all()
    assert kept.n_ended == 0 and kept.finished_at is None, "no case is said to have failed"


class _Quick(_Queue):
    """Its workers have done a run as soon as it is queued; they reach the database by a store of their own."""

    def submit(self, spec, **options):
        return open_bench(self.store.settings.home).run(spec, **options)


@pytest.mark.slow
def test_a_study_through_the_queue_goes_on_where_the_database_does_not_answer_for_a_while(
    workbench, monkeypatch, caplog
):
    """Whatever asks for it then: what submits, awaits, records a case, looks how far all are, or ends the study."""
    store, queue, away = workbench.store, _Quick(workbench.store), []

    def at_first(whole, name):
        real = getattr(whole, name)

        def answer(*arguments, **options):
            if name not in away:
                away.append(name)
                raise DatabaseAwayError("The database does not answer: start it.")
            return real(*arguments, **options)

        monkeypatch.setattr(whole, name, answer)

    for whole, name in [(queue, "submit"), (store.runs, "fetch"), (store.studies, "link")]:
        at_first(whole, name)
    for name in ("record", "entries", "finish"):
        at_first(store.studies, name)
    asked = TINY | {"methods": ["erm"], "against": "erm", "seeds": [0, 1]}
    study_id = run_study(Workbench(store, queue), Study.model_validate(asked), jobs=2)
    assert sorted(away) == ["entries", "fetch", "finish", "link", "record", "submit"]
    assert {entry["status"] for entry in store.studies.entries(study_id).values()} == {"done"}
    assert store.studies.fetch(study_id).n_ended == 2 and len(store.runs.all(kind="train")) == 2
    assert "The database does not answer: start it. What is under way goes on once it does." in caplog.messages


def drawing(monkeypatch, first):
    """``first`` is called as soon as the first image of a demo set is drawn."""
    real, begun = demo_set.write_image, threading.Lock()

    def draw(*arguments):
        if begun.acquire(blocking=False):
            first()
        real(*arguments)

    monkeypatch.setattr(demo_set, "write_image", draw)


def nothing_is_left(store) -> bool:
    return not (store.datasets.all() or store.runs.all() or list(store.settings.home.glob("demo-data/*")))


def test_a_process_of_a_study_that_is_interrupted_while_it_draws_and_reads_its_data_leaves_nothing(
    workbench, monkeypatch
):
    store, study, pressed = workbench.store, Study.model_validate(TINY), SignalEvent()
    kept = store.studies.start(study.name, study.digest, study.every_field(), 3)
    monkeypatch.setattr(run, "_interrupted", pressed)
    drawing(monkeypatch, pressed.set)
    with pytest.raises(KeyboardInterrupt):
        run._unit_in_process(store.settings, "cpu", "somebody", study, units(study)[0], kept.id)
    assert nothing_is_left(store)


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_ends_the_drawing_and_reading_of_data_in_a_thread_that_would_queue_its_runs(workbench, monkeypatch):
    store, real, known = workbench.store, awaited.until, []
    monkeypatch.setattr(awaited, "until", lambda interrupted: known.append(interrupted) or real(interrupted))

    def press():
        os.kill(os.getpid(), signal.SIGINT)
        while not known[0]():
            time.sleep(0.01)

    drawing(monkeypatch, press)
    with pytest.raises(KeyboardInterrupt):
        run_study(Workbench(store, _Queue(store)), Study.model_validate(TINY), jobs=2)
    assert nothing_is_left(store)
