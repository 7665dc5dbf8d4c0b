"""Addresses of the pages for staff, below the admin's."""

from django.urls import path

from doorsync.pages import actions, device_calls, jobs, views

urlpatterns = [
    path("doors/", views.some_board, name="boards"),
    path("doors/<int:site_id>/", views.board, name="board"),
    path("explain/", views.explain, name="explain"),
    path("coverage/", views.coverage, name="coverage"),
    path("coverage/person/", views.fix_person, name="fix-person"),
    path("coverage/room/", views.fix_room, name="fix-room"),
    path("jobs/<uuid:job_id>/", jobs.job_page, name="job"),
    path("jobs/<uuid:job_id>/progress/", jobs.job_progress, name="job-progress"),
    path("controllers/<int:pk>/preview/", device_calls.preview, name="preview-controller"),
    path("controllers/<int:pk>/test/", device_calls.test_connection, name="test-controller"),
    path("resources/fetch/", device_calls.fetch_resources, name="fetch-resources"),
    *actions.urlpatterns(),
]
