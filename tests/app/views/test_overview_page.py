"""Overview, empty and filled."""

from __future__ import annotations

import pytest

from app import session


def texts(app) -> str:
    return "\n".join(element.value for element in [*app.markdown, *app.caption])


@pytest.mark.usefixtures("empty_home")
def test_a_first_visit_is_told_to_register_data_and_offered_the_demo(show) -> None:
    app = show("overview")
    assert "register a folder of images" in texts(app)
    assert [button.label for button in app.button] == ["Try the demo data"]
    assert not app.metric


@pytest.mark.usefixtures("dataset")
def test_with_data_the_next_thing_is_to_train(show) -> None:
    app = show("overview")
    assert "Train a reference model" in texts(app)
    assert texts(app).count("done]") == 1


@pytest.mark.usefixtures("filled_home")
def test_a_finished_loop_shows_every_step_done_and_the_numbers_before_and_after(show) -> None:
    app = show("overview")
    assert texts(app).count("done]") == 8
    assert "the loop is complete" in texts(app)
    worst = next(metric for metric in app.metric if metric.label == "Worst-group accuracy")
    runs = session.store().runs
    after = next(run for run in runs.all(kind="evaluate") if "slim" in run.name)
    assert worst.value == f"{100 * after.metrics['wga']:.1f} %"
    assert worst.delta.endswith("points")


@pytest.mark.usefixtures("empty_home")
def test_the_demo_button_writes_and_registers_the_demo_data(show, monkeypatch, demo_folder) -> None:
    from app import actions

    def small(folder, progress) -> None:  # the real set has 4,200 images
        import shutil

        progress(1, 1, "Drawing the demo images")
        shutil.copytree(demo_folder, folder)  # makes the folders above it

    monkeypatch.setattr(actions, "write_demo", small)
    app = show("overview")
    app.button[0].click().run()
    assert not app.exception
    assert [one.name for one in session.store().datasets.all()] == ["demo"]
    assert app.title[0].value == "Data"
