"""One synchronisation, from the lists to what is deleted at its end."""

from __future__ import annotations

from collections.abc import Iterator

from pulp_download.batch import Batch
from pulp_download.download import Download
from pulp_download.errors import Cancelled, DownloadError
from pulp_download.futures import DownloadFuture
from pulp_download.importer.artifact import Artifact
from pulp_download.importer.extras import delete, extras
from pulp_download.importer.recorder import Recorder, found_at
from pulp_download.importer.repository import Outcome
from pulp_download.importer.telling import Listed, Settled
from pulp_download.importer.work import Summary, Work

# Downloads that are at hand for each one that runs: what keeps small files coming while the catalog
# reads or writes a thousand rows.
_WINDOW = 16


def synchronised(work: Work) -> Summary:
    """Bring the destination up to date; see :meth:`~.importer.Importer.sync`."""
    source, changes = work.take_listing()
    run = work.repository.begin_run(source)
    synchronisation = _Synchronisation(work, source)
    summary = synchronisation.summary
    summary.changes = changes
    try:
        synchronisation.fetch_files()
        synchronisation.publish()
        synchronisation.delete_extra()
    finally:
        synchronisation.recorder.flush()
        work.repository.finish_run(run, summary.counts)
    return summary


class _Synchronisation:
    """The steps, in their order. State of one run, used by one thread."""

    def __init__(self, work: Work, source: int):
        self._work = work
        self._source = source
        self._taken: dict[Download, None] = {}
        self.summary = Summary()
        self.recorder = Recorder(work.repository)

    def fetch_files(self) -> None:
        """Fetch what the lists list and is not here."""
        self._work.tell(Listed(self._work.lists.wanted))
        self._run(self._work.listed(self._source, metadata=False))

    def publish(self) -> None:
        """Put the lists at their places, the manifest last, unless something is missing.

        What describes files and is no list itself (change logs, contents) is fetched before.
        """
        metadata = list(self._work.listed(self._source, metadata=True))
        staged = [each for each in metadata if self._work.lists.is_staged(each)]
        if self.summary.failed == 0:
            self._run(each for each in metadata if not self._work.lists.is_staged(each))
        for artifact in sorted(staged, key=self._work.lists.is_main):
            if self.summary.failed:
                self._withhold(artifact)
            else:
                self._publish(artifact)
        self.recorder.flush()

    def delete_extra(self) -> None:
        """Delete what no source lists, if that is wanted and all that is listed is here."""
        work = self._work
        if not work.order.delete_extra or self.summary.failed:
            return
        for path, size in extras(work.destination, work.repository, work.order.selection):
            work.stopping.check()
            delete(work.destination, path)
            self.summary.deleted += 1
            work.tell(Settled(path, "", "deleted", size))

    def _run(self, artifacts: Iterator[Artifact]) -> None:
        """Fetch artifacts that are not known to be here, and write down what came of each."""
        work, tell = self._work, self._work.tell
        batch = Batch(
            self._downloads(artifacts),
            concurrency=work.concurrency,
            window=_WINDOW * work.concurrency,
            observer=tell.observer,
        )
        try:
            with work.stopping.of(batch.close), batch:
                for future in batch:
                    del self._taken[future.download]
                    self._ended(future)
            work.stopping.check()
        except Cancelled:
            for download in self._taken:
                tell.ended(download, Cancelled(url=download.url.redacted))
            raise
        finally:
            self._taken.clear()
            self.recorder.flush()

    def _downloads(self, artifacts: Iterator[Artifact]) -> Iterator[Download]:
        for artifact in artifacts:
            if self._work.is_known(artifact):
                self._work.stopping.check()
                self._settle(artifact, "present")
                continue
            download = self._work.download(artifact)
            self._taken[download] = None
            yield download

    def _ended(self, future: DownloadFuture) -> None:
        download = future.download
        artifact = download.attachment
        assert isinstance(artifact, Artifact)
        error = future.exception()
        self._work.tell.ended(download, error)
        if error is None:
            result = future.result()
            self._count(result.size, is_present=result.present)
            self.recorder.succeeded(artifact, result)
        elif not isinstance(error, Cancelled):
            self.summary.failed += 1
            self.recorder.failed(artifact, error)

    def _count(self, size: int, *, is_present: bool) -> None:
        if is_present:
            self.summary.present += 1
        else:
            self.summary.downloaded += 1
            self.summary.bytes += size

    def _publish(self, artifact: Artifact) -> None:
        try:
            is_here = self._work.is_present(artifact)
            if not is_here:
                self._work.lists.publish(artifact, self._work.destination)
        except DownloadError as error:
            self.summary.failed += 1
            self.recorder.failed(artifact, error)
            self._work.tell.ended(self._work.download(artifact), error)
            return
        self._settle(artifact, "present" if is_here else "downloaded")
        self.recorder.note(Outcome(artifact.key, found_at(self._work.destination, artifact.path)))

    def _withhold(self, artifact: Artifact) -> None:
        count = self.summary.failed
        what = "a file is" if count == 1 else f"{count} files are"
        self._settle(artifact, "cancelled", Cancelled(f"not published: {what} missing"))

    def _settle(self, artifact: Artifact, status: str, error: DownloadError | None = None) -> None:
        if error is None:
            self._count(artifact.entry.size or 0, is_present=status == "present")
        self._work.settle(artifact, status, error)
