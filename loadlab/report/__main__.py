"""python -m loadlab.report FOLDER...: make the reports of run folders. Exits with 1 and says why where it cannot."""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from loadlab import report
from loadlab.errors import Exit, LabError
from loadlab.runfolder import RunFolder


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the report of each folder and print where it is; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m loadlab.report", description="Make the reports of run folders.")
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="with a run.json in it")
    code = Exit.OK
    for path in parser.parse_args(arguments).folders:
        folder = RunFolder(path)
        try:
            report.make(folder)
            print(folder.html)
        except (LabError, OSError) as error:
            code = _complain(str(error))
        except Exception as error:  # a defect of ours: one line for people, not a screen of code
            place = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{Path(place.filename).name}:{place.lineno}"
            code = _complain(f"{path}: no report, for a defect of loadlab: {type(error).__name__}: {error} ({where})")
    return code


def _complain(text: str) -> Exit:
    print("loadlab.report:", " ".join(text.split()), file=sys.stderr)
    return Exit.TOOL_ERROR


if __name__ == "__main__":
    sys.exit(main())
