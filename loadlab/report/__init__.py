"""A run folder in; a verdict as text, JSON, JUnit and one page of HTML out. What computes is imported when used."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from loadlab.analysis.summary import Summary
    from loadlab.analysis.sweep import Sweep
    from loadlab.runfolder import RunFolder, SweepFolder


def make(folder: RunFolder) -> Summary:
    """Analyse a run and write summary.json, junit.xml and, as the last one, report.html into its folder.

    Raises:
        RunFolderError: the folder is not there or cannot be read.
    """
    from loadlab.analysis import summarise
    from loadlab.report import html, junit
    from loadlab.runfolder import RunFolderError

    recording = folder.read()
    try:
        summary = summarise.summarise(recording)
        page = html.page(recording, summary)
    except ValueError as error:
        raise RunFolderError(f"{folder.path} is damaged: {error}.") from error
    folder.write_summary(summary)
    folder.write_report(junit=junit.document(summary, recording.run), html=page)
    return summary


def make_sweep(folder: SweepFolder) -> Sweep:
    """Analyse a sweep from what its points gave, write sweep.json and report.html into its folder, and return it.

    Raises:
        RunFolderError: the folder is not there or cannot be read.
    """
    from dataclasses import replace

    from loadlab.analysis import scaling
    from loadlab.report import sweep_html

    sweep = folder.read_sweep()
    sweep = replace(sweep, scaling=scaling.scale(sweep), exit_code=scaling.exit_code(sweep))
    folder.write_sweep(sweep)
    folder.write_report(sweep_html.page(sweep))
    return sweep
