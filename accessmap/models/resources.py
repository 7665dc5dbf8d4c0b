"""Bookable resources and the doors that lead to them."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from accessmap.models.changes import names_changes, tracked
from accessmap.models.controllers import Door
from accessmap.models.policies import AccessPolicy
from accessmap.models.sites import Site


@tracked()
class Resource(models.Model):
    """A bookable resource of Offision, and the doors that lead to it."""

    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="resources", verbose_name=_("site"))
    external_id = models.CharField(_("id in Offision"), max_length=200, unique=True)
    name = models.CharField(_("name"), max_length=200)
    policy = models.ForeignKey(
        AccessPolicy, on_delete=models.PROTECT, related_name="resources", verbose_name=_("access policy")
    )
    doors = models.ManyToManyField(
        Door, through="ResourceDoor", related_name="resources", verbose_name=_("doors"), blank=True
    )

    class Meta:
        verbose_name = _("resource")
        verbose_name_plural = _("resources")
        ordering = ["name"]
        constraints = [models.CheckConstraint(condition=~models.Q(external_id=""), name="resource_has_an_id")]
        triggers = names_changes(resource_id="changed.id")

    def __str__(self) -> str:
        return self.name


@tracked()
class ResourceDoor(models.Model):
    """A door that leads to a resource."""

    resource = models.ForeignKey(Resource, on_delete=models.CASCADE)
    door = models.ForeignKey(Door, on_delete=models.CASCADE, verbose_name=_("door"))

    class Meta:
        verbose_name = _("door of a resource")
        verbose_name_plural = _("doors of resources")
        constraints = [models.UniqueConstraint(fields=["resource", "door"], name="one_link_a_door")]
        triggers = names_changes(
            resource_id="changed.resource_id",
            controller_id="door.controller_id",
            rows="changed LEFT JOIN accessmap_door door ON door.id = changed.door_id",
        )

    def __str__(self) -> str:
        return str(self.door)
