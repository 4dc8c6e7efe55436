"""What to import: a path, typed or found by going through the allowed folders; the format; the columns of a table whose
names are not the usual ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from app import admission
from app.services import actions
from app.ui import export, reruns
from app.ui.messages import for_reader, prose, verbatim
from app.ui.reruns import dialog
from slim_core.data import unpacking
from slim_core.data.choosing import MOST_READ, Entry, Listing, TablePreview
from slim_core.data.draft import as_option
from slim_core.data.importers.csv_table import NO_COLUMN, CsvTable
from slim_core.data.importing import FORMATS, SEED, ToImport
from slim_core.data.unpacking import MOST_FILES, MOST_UPLOAD_MB
from slim_core.errors import PathRefusedError, SlimError
from slim_core.formatting import counted, is_or_are
from slim_core.settings import settings

if TYPE_CHECKING:
    from slim_core.data import Thoroughness

SNIFF = "detect"
PATH, NAME, ARCHIVE, REFUSED = "import-path", "import-name", "import-archive", "import-refused"  # of the session
LOOKED = "import-looked"  # of the session: the path typed, chosen or checked in it; a link has nothing read by itself
SENT = "import-sent"  # of the session: the archive that was unpacked last, and its folder
UNPACKED, AT_ONCE = "import-unpacked", "import-at-once"  # the path whose images may be unpacked; check without a press
FILES: Mapping[Thoroughness, str] = {
    "sample": "All; a sample above 20,000",
    "all": "All",
    "none": "None",
}
MOST_CROSSED = 2  # attributes
_TOGETHER = (
    "Images of one patient, video or object look alike. Where splits are made, they go to the same split; where the "
    "table has splits, the check names those in several."
)


def show() -> tuple[ToImport, bool, str]:
    """The form; whether its button was pressed just now; why the columns of a table cannot be chosen, or ""."""
    if chosen := st.session_state.pop(f"{PATH}-chosen", None):
        st.session_state[PATH] = st.session_state[LOOKED] = chosen
    with st.container(horizontal=True, vertical_alignment="bottom"):
        typed = st.text_input(
            f"Folder or metadata file on {export.machine()}",
            placeholder="/data/waterbird_complete95_forest2water2",
            help="Images are not copied. Allowed folders: " + ", ".join(map(str, settings().data_roots)),
            key=PATH,
            bind="query-params",  # a reload keeps it
            on_change=_look,
            width="stretch",
        )
        path = _unquoted(typed.strip())
        browse_button(PATH)
        with st.popover("Upload a zip", icon=":material/upload:"):
            _upload()
    if refused := st.session_state.get(REFUSED):
        st.error(prose(refused), icon=":material/error:")
    with st.container(horizontal=True):
        kind = st.selectbox("Format", [SNIFF, *FORMATS], format_func=_described, width="stretch")
        name = st.text_input("Name", placeholder="as the folder or table", key=NAME, width="stretch").strip()
        files = st.selectbox("Images to decode", list(FILES), format_func=FILES.__getitem__, width=240)
    options, unread = dict[str, str](), ""
    if kind in (SNIFF, CsvTable.name) and path and st.session_state.get(LOOKED) == typed:
        try:
            options = _columns(path)
        except SlimError as error:
            unread = for_reader(error)
    elif kind != SNIFF:
        options = _options(kind)
    # Never off: a field gives its text away when it is left, so that the first click would only wake the button.
    pressed = st.button("Check", type="primary", on_click=_look) or st.session_state.pop(AT_ONCE, False)
    if pressed and (missing := _not_chosen(options)):
        st.error(missing)
        pressed = False
    format = CsvTable.name if options and kind == SNIFF else kind
    if path and st.session_state.get(UNPACKED) == path:
        options[unpacking.OPTION] = unpacking.YES
    return ToImport(path, None if format == SNIFF else format, name or None, options, files), pressed, unread


def _look() -> None:
    """Whoever types the path, or presses *Check*, has it read."""
    st.session_state[LOOKED] = st.session_state[PATH]


def _unquoted(path: str) -> str:
    """As file managers and terminals copy a path: in quotes."""
    return path[1:-1] if len(path) > 2 and path[0] == path[-1] and path[0] in "'\"" else path


def allow_unpacking(path: str) -> None:
    """The images inside the files of this path may be written out; it is checked again."""
    st.session_state[UNPACKED] = path
    st.session_state[AT_ONCE] = True


def _upload() -> None:
    """A small archive from the reader's own machine; its folder becomes the path."""
    admission.expect_files()
    more = f"for more, name a folder on {export.machine()}."
    st.file_uploader(
        "A zip of images, with one folder per class or a table",
        type="zip",
        key=ARCHIVE,
        on_change=_take_archive,
        help=f"Up to {MOST_UPLOAD_MB} MB and {MOST_FILES:,} files when unpacked; {more}",
    )
    sent, folder = st.session_state.get(SENT) or ("", "")
    if sent and folder == st.session_state.get(PATH):
        st.success(f"{verbatim(sent)} is unpacked, and its folder entered. Press *Check*.", icon=":material/check:")


def _take_archive() -> None:
    sent = st.session_state.get(ARCHIVE)
    st.session_state[REFUSED] = st.session_state[SENT] = None
    if sent is None:
        return
    try:
        st.session_state[PATH] = st.session_state[LOOKED] = actions.unpack(sent, sent.name)
        st.session_state[SENT] = sent.name, st.session_state[PATH]
    except SlimError as error:
        st.session_state[REFUSED] = for_reader(error)


def _described(kind: str) -> str:
    return "Detected from the files" if kind == SNIFF else f"{kind}: {FORMATS[kind].about}"


def _options(kind: str) -> dict[str, str]:
    """Those of a format, by their names."""
    given = {}
    with st.container(horizontal=True):
        for name in FORMATS[kind].options:
            label = name.replace("_", " ").capitalize()
            given[name] = st.text_input(label, key=f"option-{kind}-{name}", width=200).strip()
    return {name: value for name, value in given.items() if value}


def _columns(path: str) -> dict[str, str]:
    """The columns of a table, chosen beside its first rows; nothing where the data is no table.

    Raises:
        PathRefusedError, FormatRefusedError: it cannot be read.
    """
    found = actions.preview_table(path, st.session_state.get(f"table-{path}"))
    if found is None:
        return {}
    file = found.files[0]
    if len(found.files) > 1:
        file = st.selectbox(
            "Table", sorted(found.files), sorted(found.files).index(file), key=f"table-{path}", width=320
        )
    st.caption(f"The first rows of {verbatim(file)}. Choose what its columns hold.")
    st.dataframe(found.head, width="stretch", hide_index=True, alt=f"The first rows of {file}")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        return {"file": file} | _roles(found, key=f"column-{path}-{file}")


def _not_chosen(options: Mapping[str, str]) -> str:
    """What to choose first, where the columns of a table are offered; "" where nothing is missing."""
    asked = {"path": "the column with the images under *Image*", "label": "the column with the class under *Label*"}
    missing = [text for role, text in asked.items() if role not in options]
    return f"Choose {' and '.join(missing)}." if "file" in options and missing else ""


def _roles(found: TablePreview, key: str) -> dict[str, str]:
    """Role -> column, as options of the format."""
    columns = [str(name) for name in found.head.columns]
    image = _one("Image", "path", found, columns, key)
    label = _one("Label", "label", found, columns, key)
    split = _one("Split", "split", found, [NO_COLUMN, *columns], key)
    attributes = st.multiselect(
        "Attributes",
        columns,
        [found.proposed["attribute"]] if "attribute" in found.proposed else [],
        key=f"{key}-attribute",
        max_selections=MOST_CROSSED,
        placeholder="none",
        help="What a class often occurs with, such as a place. Two are combined.",
        width=280,
    )
    mask = _one("Mask", "mask", found, [NO_COLUMN, *columns], key)
    unit = _one("Keep together", "unit", found, [NO_COLUMN, *columns], key, help=_TOGETHER)
    chosen = {
        "path": image,
        "label": label,
        "split": split,
        "attribute": as_option(attributes) or NO_COLUMN,
        "mask": mask,
        "unit": unit,
    }
    if split == NO_COLUMN:
        seed = st.number_input("Seed of the splits", 0, value=0, key=f"{key}-seed", width=140)
        chosen[SEED] = str(seed)
    return {role: column for role, column in chosen.items() if column}


def _one(title: str, role: str, found: TablePreview, columns: Sequence[str], key: str, help: str | None = None) -> str:
    proposed = found.proposed.get(role)
    start = columns.index(proposed) if proposed in columns else 0 if columns[0] == NO_COLUMN else None
    chosen = st.selectbox(
        title,
        columns,
        start,
        key=f"{key}-{role}",
        format_func=_made if role == "split" else str,
        placeholder="choose",
        help=help,
        width=170,
    )
    return chosen or ""


def _made(split: str) -> str:
    return "none: make splits" if split == NO_COLUMN else split


# Of the session: the visit in which a folder is shown, and which; what its names are narrowed to.
_AT, _WORDS = "browse-at", "browse-words"
_HEIGHT = 340  # pixels of the list


def browse_button(field: str) -> None:
    """Opens the dialog, whose choice becomes the text of the field of this key."""
    st.button("Browse", icon=":material/folder_open:", on_click=_open_browser, args=(field,))
    if _browsed() is not None:
        dialog("Choose a folder", _close_browser)(_browse)(field)


def _open_browser(field: str) -> None:
    """Begin at the folder that is typed in the field, where there is one."""
    typed = str(st.session_state.get(field, "")).strip()
    try:
        _go(str(actions.browse(typed).path) if typed else "")
    except SlimError:
        _go("")


def _browsed() -> str | None:
    """The folder that is shown; "" shows the allowed ones. None where the dialog is closed, as by leaving the page."""
    visited, path = st.session_state.get(_AT, (None, ""))
    return path if visited == reruns.visit_number() else None


def _close_browser() -> None:
    st.session_state.pop(_AT, None)


def _browse(field: str) -> None:
    here = _browsed()
    if not here:
        _roots()
        return
    try:
        found = actions.browse(here, str(st.session_state.get(_WORDS, "")))
    except PathRefusedError as error:  # gone since, or not to be read
        st.warning(prose(error), icon=":material/folder_off:")
        st.button("Allowed folders", icon=":material/arrow_back:", on_click=_go, args=("",), key="browse-back")
        return
    _way(found)
    st.text_input(
        "Find", key=_WORDS, placeholder="part of a name", icon=":material/search:", label_visibility="collapsed"
    )
    with st.container(height=_HEIGHT, gap=None):
        _list_folders(found, field)
    _choose_folder(found, field)


def _roots() -> None:
    st.caption("Images may be registered from these folders.")
    found = actions.browse_roots()
    if not found:
        st.warning("None of the folders in SLIM_DATA_ROOTS exists.", icon=":material/folder_off:")
    with st.container(height=_HEIGHT, gap=None):
        for number, entry in enumerate(found):
            _folder(entry, str(entry.path), number)


def _way(found: Listing) -> None:
    """The folders above, each a button."""
    with st.container(horizontal=True, gap="xsmall", vertical_alignment="center"):
        st.button("Allowed folders", type="tertiary", on_click=_go, args=("",), key="browse-way-all")
        for depth, folder in enumerate(found.way):
            st.markdown("/", width="content")
            name = str(folder) if depth == 0 else folder.name
            is_here = folder == found.path
            st.button(
                verbatim(name), type="tertiary", disabled=is_here, on_click=_go, args=(str(folder),), key=f"way-{depth}"
            )


def _list_folders(found: Listing, field: str) -> None:
    # Keyed by place: the focus stays where it was, so that Enter, Enter goes down.
    for number, entry in enumerate(found.folders):
        _folder(entry, entry.name, number)
    for number, table in enumerate(found.tables):
        if st.button(verbatim(table.name), type="tertiary", icon=":material/table:", key=f"browse-table-{number}"):
            _take_folder(field, table)
    if not found.folders and not found.tables:
        st.caption("No folders or tables here." if not st.session_state.get(_WORDS) else "No name here matches.")


def _folder(entry: Entry, name: str, number: int) -> None:
    st.button(
        verbatim(name),
        type="tertiary",
        icon=":material/folder:" if entry.is_readable else ":material/folder_off:",
        disabled=not entry.is_readable,
        help=None if entry.is_readable else "The user that SLIM runs as cannot read this folder.",
        on_click=_go,
        args=(str(entry.path),),
        key=f"browse-{number}",
    )


def _choose_folder(found: Listing, field: str) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button("Use this folder", type="primary", key="browse-use"):
            _take_folder(field, found.path)
        st.caption(_folder_facts(found), width="stretch")


def _folder_facts(found: Listing) -> str:
    said = f"{counted(found.n_folders, 'folder')}, {counted(found.n_images, 'image')}."
    hidden = found.n_folders - len(found.folders)
    if hidden:
        left_out = f"{counted(hidden, 'folder')} {is_or_are(hidden)} not listed"
        said = f"{said} {left_out}. Narrow the names above."
    if found.is_cut:
        said = f"The first {MOST_READ:,} entries hold {said} Type the path of anything that is missing."
    return said


def _go(path: str) -> None:
    st.session_state[_AT], st.session_state[_WORDS] = (reruns.visit_number(), path), ""


def _take_folder(field: str, path: Path) -> None:
    """Close the dialog; the field is filled before it is drawn again."""
    st.session_state[f"{field}-chosen"] = str(path)
    _close_browser()
    st.rerun()
