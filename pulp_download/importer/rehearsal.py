"""What a synchronisation would do, without doing it."""

from __future__ import annotations

from pulp_download.errors import DownloadError
from pulp_download.importer.extras import extras
from pulp_download.importer.lists import fetched
from pulp_download.importer.telling import Listed, Settled
from pulp_download.importer.work import Summary, Work, settled


def rehearsed(work: Work) -> Summary:
    """Tell what would be done; what is told is the plan of this moment.

    The catalog is written to, in a transaction that the caller undoes.
    """
    summary = Summary()
    selection = work.order.selection
    with fetched(work) as lists:
        summary.changes = lists.take()
        work.tell(Listed(lists.manifest.count if selection.is_everything else None))
        for artifact in work.repository.artifacts(lists.source):
            work.stopping.check()
            if not (selection.wants(artifact.path) or lists.is_staged(artifact)):
                continue
            try:
                is_here = (
                    work.is_known(artifact) or work.download(artifact, lists.base).is_present()
                )
            except DownloadError as error:
                summary.failed += 1
                work.tell(settled(artifact, lists.base, "failed", error))
                continue
            if is_here:
                summary.present += 1
                work.tell(settled(artifact, lists.base, "present"))
            else:
                summary.downloaded += 1
                summary.bytes += artifact.entry.size or 0
                work.tell(settled(artifact, lists.base, "would-download"))
        if work.order.delete_extra:
            for path, size in extras(work.destination, work.repository, selection):
                summary.deleted += 1
                work.tell(Settled(path, "", "would-delete", size))
    return summary
