"""Data sets: one table form, one importer a file, one report; images, groups, the files on disk, and the demo sets.

Public: table (ImageTable), importing (import_data, FORMATS), report (ImportReport, Imported, require), groups
(Grouping, grouping), images (codec.ImageTransform), sets.digits (DemoConfig, write_demo).
"""

from typing import Literal

Thoroughness = Literal["none", "sample", "all"]  # no file is opened; headers of all, pixels of a sample; pixels of all
