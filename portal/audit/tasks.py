"""Celery tasks of the audit log. Each has the name of the service that it calls."""

from celery import shared_task


@shared_task
def seal() -> None:
    from portal.audit import sealer

    sealer.seal()


@shared_task
def check_seals() -> None:
    from portal.audit import verifying

    verifying.check_seals()
