"""Addresses of the pages for staff, below the admin's."""

from django.urls import path

from doorsync import buttons, pages

urlpatterns = [
    path("doors/", pages.some_board, name="boards"),
    path("doors/<int:site_id>/", pages.board, name="board"),
    path("why/", pages.why, name="why"),
    path("unmapped/", pages.unmapped, name="unmapped"),
    path("unmapped/person/", pages.mend_person, name="mend-person"),
    path("unmapped/room/", pages.mend_room, name="mend-room"),
    path("controllers/<int:pk>/preview/", buttons.preview, name="preview-controller"),
    path("controllers/<int:pk>/sync/", buttons.sync_controller, name="sync-controller"),
    path("controllers/<int:pk>/suspend/", buttons.suspend_controller, name="suspend-controller"),
    path("controllers/<int:pk>/resume/", buttons.resume_controller, name="resume-controller"),
    path("controllers/<int:pk>/approve/", buttons.approve_plan, name="approve-plan"),
    path("controllers/<int:pk>/drop/", buttons.drop_plan, name="drop-plan"),
    path("controllers/<int:pk>/take-up/", buttons.take_up_plan, name="take-up-plan"),
    path("resources/<int:pk>/fetch/", buttons.fetch_resource, name="fetch-resource"),
    path("resources/fetch/", buttons.fetch_resources, name="fetch-resources"),
    path("callbacks/<int:pk>/reprocess/", buttons.reprocess_callback, name="reprocess-callback"),
    path("doors/<int:pk>/unlock/", buttons.unlock_door, name="unlock-door"),
]
