"""A run folder in; a verdict as text, JSON, JUnit and one page of HTML out. What computes is imported when used."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from loadlab.analysis.summary import Summary
    from loadlab.runfolder import RunFolder


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
