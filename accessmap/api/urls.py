"""URLs of the map's part of /api/v1/, and of the API's schema."""

from django.contrib.admin.views.decorators import staff_member_required
from django.urls import path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.authentication import SessionAuthentication

from accessmap.api import views
from accessmap.api.authentication import ApiKeyAuthentication, ReadsDocs

schema = SpectacularAPIView.as_view(
    authentication_classes=[ApiKeyAuthentication, SessionAuthentication], permission_classes=[ReadsDocs]
)
docs = staff_member_required(SpectacularSwaggerSplitView.as_view(url_name="api-schema"))

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="api-docs")),
    path("schema/", schema, name="api-schema"),
    path("docs/", docs, name="api-docs"),
    path("docs", RedirectView.as_view(pattern_name="api-docs")),
    path("cardholders", views.CardholdersView.as_view(), name="api-cardholders"),
    path("cardholders/bulk", views.BulkView.as_view(), name="api-bulk"),
    path("cardholders/<int:pk>", views.CardholderView.as_view(), name="api-cardholder"),
    path("cards", views.CardsView.as_view(), name="api-cards"),
    path("cards/<int:pk>", views.CardView.as_view(), name="api-card"),
    path("access-levels", views.AccessLevelsView.as_view(), name="api-access-levels"),
    path("access-levels/<int:pk>", views.AccessLevelView.as_view(), name="api-access-level"),
    path("resources", views.ResourcesView.as_view(), name="api-resources"),
    path("resources/<int:pk>", views.ResourceView.as_view(), name="api-resource"),
    path("doors", views.DoorsView.as_view(), name="api-doors"),
    path("doors/<int:pk>", views.DoorView.as_view(), name="api-door"),
]
