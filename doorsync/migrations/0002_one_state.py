"""The one row of PassState, which every tick locks."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("doorsync", "0001_initial")]

    operations = [
        migrations.RunSQL(
            "INSERT INTO doorsync_passstate "
            "(id, map_revision, subscription_trouble, offision_trouble) VALUES (1, 0, '', '')",
            reverse_sql="DELETE FROM doorsync_passstate",
        )
    ]
