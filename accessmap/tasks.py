"""Celery's doorbell. It has the name of the service that it calls; what is to be done stands in the database."""

from celery import shared_task


@shared_task
def work_on_import(import_id: int) -> None:
    from accessmap.imports import service

    service.work_on_import(import_id)
