"""A body that broke while a caller was reading it, gone on with where it broke."""

from __future__ import annotations

from collections.abc import Sequence

from pulp_download.delivery import Ask, Delivery
from pulp_download.errors import DownloadError, Truncated, ValidationError
from pulp_download.making import Making, left_by
from pulp_download.mirrors.mirror import Mirror
from pulp_download.settings import Settings
from pulp_download.steps import Asking
from pulp_download.validations import Validation, judges_content
from pulp_download.watch import Watch


class Resuming:
    """The resumes of one body. The caller has its first bytes, so they stay as they are.

    The rest is asked for by the rules of :class:`~pulp_download.making.Making`: of the same
    edition, or wherever a validation judges the whole; the checks go on with what they have seen.
    """

    def __init__(self, validations: Sequence[Validation], settings: Settings, watch: Watch):
        self._validations = validations
        self._settings = settings
        self._watch = watch
        self._made: Making | None = None

    def is_possible(self, broken: Delivery, error: DownloadError) -> bool:
        """Take note of what a delivery brought before it broke; tell whether to go on."""
        if broken.opened.status not in (200, 206) or broken.opened.method != "GET":
            return False
        self._made = None if error.final else left_by(broken, error, self._made)
        return self._made is not None

    def from_source(self, source: Mirror, ask: Ask) -> Asking[Delivery]:
        """Have the rest of this source; raises Truncated where it has none that fits."""
        made = self._made
        assert made is not None
        conditions = made.conditions(source, is_judged=judges_content(self._validations))
        if conditions is None:
            raise _without_rest(made)
        opened = yield from ask(source, conditions, made.answers)
        total = None if opened.status == 200 else made.total_with(opened, source)
        if total is None:
            opened.answer.close()
            raise _without_rest(made)
        try:
            return Delivery(
                opened,
                source,
                self._watch,
                self._validations,
                self._settings,
                checks=made.checks,
                total=total,
            )
        except ValidationError as error:
            error.final = True  # nobody can take back what the caller has
            raise


def _without_rest(made: Making) -> Truncated:
    error = Truncated(made.offset, made.total)
    error.retryable = False
    return error
