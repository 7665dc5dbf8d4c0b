"""Celery tasks. Each has the name of the service that it calls; the database says what is to be done."""

from celery import shared_task


@shared_task
def work_on_import(import_id: int) -> None:
    from accessmap.imports import service

    service.work_on_import(import_id)
