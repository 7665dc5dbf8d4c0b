"""Addresses of the pages for staff, below the admin's."""

from django.urls import path

from doorsync import pages

urlpatterns = [
    path("doors/", pages.some_board, name="boards"),
    path("doors/<int:site_id>/", pages.board, name="board"),
    path("why/", pages.why, name="why"),
    path("unmapped/", pages.unmapped, name="unmapped"),
    path("unmapped/person/", pages.mend_person, name="mend-person"),
    path("unmapped/room/", pages.mend_room, name="mend-room"),
]
