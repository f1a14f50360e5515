"""What a synchronisation would do, without doing it."""

from __future__ import annotations

from pulp_download.errors import DownloadError
from pulp_download.importer.extras import extras
from pulp_download.importer.telling import Listed, Settled
from pulp_download.importer.work import Summary, Work


def rehearsed(work: Work) -> Summary:
    """Tell what would be done; what is told is the plan of this moment.

    The catalog is written to, in a transaction that the caller undoes.
    """
    source, changes = work.take_listing()
    summary = Summary(changes=changes)
    work.tell(Listed(work.lists.wanted))
    for artifact in work.listed(source):
        work.stopping.check()
        try:
            is_here = work.is_present(artifact)
        except DownloadError as error:
            summary.failed += 1
            work.tell.ended(work.download(artifact), error)
            continue
        if is_here:
            summary.present += 1
            work.settle(artifact, "present")
        else:
            summary.downloaded += 1
            summary.bytes += artifact.entry.size or 0
            work.settle(artifact, "would-download")
    if work.order.delete_extra:
        for path, size in extras(work.destination, work.repository, work.order.selection):
            summary.deleted += 1
            work.tell(Settled(path, "", "would-delete", size))
    return summary
