"""Addresses of the pages for staff, below the admin's."""

from django.urls import path

from doorsync.pages import actions, views

urlpatterns = [
    path("doors/", views.some_board, name="boards"),
    path("doors/<int:site_id>/", views.board, name="board"),
    path("explain/", views.explain, name="explain"),
    path("coverage/", views.coverage, name="coverage"),
    path("coverage/person/", views.fix_person, name="fix-person"),
    path("coverage/room/", views.fix_room, name="fix-room"),
    path("controllers/<int:pk>/preview/", actions.preview, name="preview-controller"),
    path("controllers/<int:pk>/sync/", actions.sync_controller, name="sync-controller"),
    path("controllers/<int:pk>/suspend/", actions.suspend_controller, name="suspend-controller"),
    path("controllers/<int:pk>/resume/", actions.resume_controller, name="resume-controller"),
    path("controllers/<int:pk>/approve/", actions.approve_plan, name="approve-plan"),
    path("controllers/<int:pk>/drop/", actions.drop_plan, name="drop-plan"),
    path("controllers/<int:pk>/take-up/", actions.take_up_plan, name="take-up-plan"),
    path("resources/<int:pk>/fetch/", actions.fetch_resource, name="fetch-resource"),
    path("resources/fetch/", actions.fetch_resources, name="fetch-resources"),
    path("callbacks/<int:pk>/reprocess/", actions.reprocess_callback, name="reprocess-callback"),
    path("doors/<int:pk>/unlock/", actions.unlock_door, name="unlock-door"),
]
