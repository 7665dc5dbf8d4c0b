"""The pages of the setup."""

from django.urls import path

from doorsync.setup import views

urlpatterns = [
    path("", views.index, name="setup"),
    path("called/", views.called, name="setup-called"),
    path("<slug:key>/", views.step, name="setup-step"),
]
