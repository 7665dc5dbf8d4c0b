import accessmap.models.policies
import accessmap.models.sites
import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
import django.db.models.functions.text
import encrypted_fields.fields
import pgtrigger.compiler
import pgtrigger.migrations
import portal.core.clock
import portal.core.problems
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('pghistory', '0007_auto_20250421_0444'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='AccessLevel',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=200, unique=True, verbose_name='name')),
            ],
            options={
                'verbose_name': 'access level',
                'verbose_name_plural': 'access levels',
                'ordering': ['name'],
            },
        ),
        migrations.CreateModel(
            name='AccessLevelEvent',
            fields=[
                ('pgh_id', models.AutoField(primary_key=True, serialize=False)),
                ('pgh_created_at', models.DateTimeField(auto_now_add=True)),
                ('pgh_label', models.TextField(help_text='The event label.')),
                ('id', models.BigIntegerField()),
                ('name', models.CharField(max_length=200, verbose_name='name')),
            ],
            options={
                'abstract': False,
            },
        ),
        migrations.CreateModel(
            name='AccessPolicy',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=200, unique=True, verbose_name='name')),
                ('admit_organizer', models.BooleanField(default=True, verbose_name='admit the organizer')),
                ('admit_attendees', models.BooleanField(default=True, verbose_name='admit the attendees')),
                ('admit_anyone', models.BooleanField(default=False, help_text='Holds the door unlocked from start to end, without lead and grace.', verbose_name='admit anyone')),
                ('statuses', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(choices=[('confirmed', 'confirmed'), ('checked_in', 'checked in'), ('checked_out', 'checked out'), ('tentative', 'tentative')], max_length=20), default=accessmap.models.policies.default_statuses, size=None, verbose_name='booking statuses that count')),
                ('lead_minutes', models.PositiveSmallIntegerField(default=15, validators=[django.core.validators.MaxValueValidator(1440)], verbose_name='lead (minutes)')),
                ('grace_minutes', models.PositiveSmallIntegerField(default=0, validators=[django.core.validators.MaxValueValidator(1440)], verbose_name='grace (minutes)')),
            ],
            options={
                'verbose_name': 'access policy',
                'verbose_name_plural': 'access policies',
                'ordering': ['name'],
            },
        ),
        migrations.CreateModel(
            name='AccessPolicyEvent',
            fields=[
                ('pgh_id', models.AutoField(primary_key=True, serialize=False)),
                ('pgh_created_at', models.DateTimeField(auto_now_add=True)),
                ('pgh_label', models.TextField(help_text='The event label.')),
                ('id', models.BigIntegerField()),
                ('name', models.CharField(max_length=200, verbose_name='name')),
                ('admit_organizer', models.BooleanField(default=True, verbose_name='admit the organizer')),
                ('admit_attendees', models.BooleanField(default=True, verbose_name='admit the attendees')),
                ('admit_anyone', models.BooleanField(default=False, help_text='Holds the door unlocked from start to end, without lead and grace.', verbose_name='admit anyone')),
                ('statuses', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(choices=[('confirmed', 'confirmed'), ('checked_in', 'checked in'), ('checked_out', 'checked out'), ('tentative', 'tentative')], max_length=20), default=accessmap.models.policies.default_statuses, size=None, verbose_name='booking statuses that count')),
                ('lead_minutes', models.PositiveSmallIntegerField(default=15, validators=[django.core.validators.MaxValueValidator(1440)], verbose_name='lead (minutes)')),
                ('grace_minutes', models.PositiveSmallIntegerField(default=0, validators=[django.core.validators.MaxValueValidator(1440)], verbose_name='grace (minutes)')),
            ],
            options={
                'abstract': False,
            },
        ),
        migrations.CreateModel(
            name='Card',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.CharField(help_text='As the readers report it.', max_length=200, unique=True, validators=[django.core.validators.RegexValidator('^[0-9A-Za-z-]+\\Z', 'Digits, letters and hyphens only.')], verbose_name='number')),
                ('status', models.CharField(choices=[('active', 'active'), ('lost', 'lost'), ('returned', 'returned')], default='active', max_length=10, verbose_name='status')),
                ('valid_from', models.DateTimeField(blank=True, null=True, verbose_name='valid from')),
                ('valid_until', models.DateTimeField(blank=True, help_text='The first moment at which it no longer opens.', null=True, verbose_name='valid until')),
            ],
            options={
                'verbose_name': 'card',
                'verbose_name_plural': 'cards',
                'ordering': ['number'],
                'permissions': [('view_card_number', "Can show a card's whole number, which the audit log notes")],
            },
        ),
        migrations.CreateModel(
            name='CardEvent',
            fields=[
                ('pgh_id', models.AutoField(primary_key=True, serialize=False)),
                ('pgh_created_at', models.DateTimeField(auto_now_add=True)),
                ('pgh_label', models.TextField(help_text='The event label.')),
                ('id', models.BigIntegerField()),
                ('number', models.CharField(help_text='As the readers report it.', max_length=200, validators=[django.core.validators.RegexValidator('^[0-9A-Za-z-]+\\Z', 'Digits, letters and hyphens only.')], verbose_name='number')),
                ('status', models.CharField(choices=[('active', 'active'), ('lost', 'lost'), ('returned', 'returned')], default='active', max_length=10, verbose_name='status')),
                ('valid_from', models.DateTimeField(blank=True, null=True, verbose_name='valid from')),
                ('valid_until', models.DateTimeField(blank=True, help_text='The first moment at which it no longer opens.', null=True, verbose_name='valid until')),
            ],
            options={
                'abstract': False,
            },
        ),
        migrations.CreateModel(
            name='Cardholder',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('email', models.EmailField(blank=True, help_text='As in Offision; case does not matter. Bookings find nobody without an email.', max_length=320, verbose_name='email')),
                ('name', models.CharField(max_length=200, verbose_name='name')),
            ],
            options={
                'verbose_name': 'cardholder',
                'verbose_name_plural': 'cardholders',
                'ordering': ['name', 'pk'],
            },
        ),
        migrations.CreateModel(
            name='CardholderEvent',
            fields=[
                ('pgh_id', models.AutoField(primary_key=True, serialize=False)),
                ('pgh_created_at', models.DateTimeField(auto_now_add=True)),
                ('pgh_label', models.TextField(help_text='The event label.')),
                ('id', models.BigIntegerField()),
                ('email', models.EmailField(blank=True, help_text='As in Offision; case does not matter. Bookings find nobody without an email.', max_length=320, verbose_name='email')),
                ('name', models.CharField(max_length=200, verbose_name='name')),
            ],
            options={
                'abstract': False,
            },
        ),
        migrations.CreateModel(
            name='Controller',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=200, unique=True, verbose_name='name')),
                ('driver', models.CharField(help_text='The family of controllers that it belongs to.', max_length=50, verbose_name='driver')),
                ('options', models.JSONField(blank=True, default=dict, help_text='What its driver needs to know, such as its address.', verbose_name='options')),
                ('secrets', encrypted_fields.fields.EncryptedJSONField(default=dict, editable=False, null=True)),
                ('enabled', models.BooleanField(default=True, help_text='The portal does not contact a disabled controller: it stays as it is.', verbose_name='enabled')),
            ],
            options={
                'verbose_name': 'controller',
                'verbose_name_plural': 'controllers',
                'ordering': ['name'],
            },
        ),
        migrations.CreateModel(
            name='ControllerEvent',
            fields=[
                ('pgh_id', models.AutoField(primary_key=True, serialize=False)),
                ('pgh_created_at', models.DateTimeField(auto_now_add=True)),
                ('pgh_label', models.TextField(help_text='The event label.')),
                ('id', models.BigIntegerField()),
                ('name', models.CharField(max_length=200, verbose_name='name')),
                ('driver', models.CharField(help_text='The family of controllers that it belongs to.', max_length=50, verbose_name='driver')),
                ('enabled', models.BooleanField(default=True, help_text='The portal does not contact a disabled controller: it stays as it is.', verbose_name='enabled')),
            ],
            options={
                'abstract': False,
            },
        ),
        migrations.CreateModel(
            name='Door',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveSmallIntegerField(help_text='Its number at the controller.', validators=[django.core.validators.MinValueValidator(1)], verbose_name='number')),
                ('name', models.CharField(max_length=200, verbose_name='name')),
                ('floor', models.CharField(blank=True, help_text='Such as 12/F; the door board can be filtered by it.', max_length=50, verbose_name='floor')),
            ],
            options={
                'verbose_name': 'door',
                'verbose_name_plural': 'doors',
                'ordering': ['controller__name', 'number'],
                'permissions': [('unlock_door', 'Can unlock a door for a moment')],
            },
        ),
        migrations.CreateModel(
            name='DoorEvent',
            fields=[
                ('pgh_id', models.AutoField(primary_key=True, serialize=False)),
                ('pgh_created_at', models.DateTimeField(auto_now_add=True)),
                ('pgh_label', models.TextField(help_text='The event label.')),
                ('id', models.BigIntegerField()),
                ('number', models.PositiveSmallIntegerField(help_text='Its number at the controller.', validators=[django.core.validators.MinValueValidator(1)], verbose_name='number')),
                ('name', models.CharField(max_length=200, verbose_name='name')),
                ('floor', models.CharField(blank=True, help_text='Such as 12/F; the door board can be filtered by it.', max_length=50, verbose_name='floor')),
            ],
            options={
                'abstract': False,
            },
        ),
        migrations.CreateModel(
            name='MapChange',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('controller_id', models.BigIntegerField(null=True)),
                ('resource_id', models.BigIntegerField(null=True)),
                ('policy_id', models.BigIntegerField(null=True)),
                ('level_id', models.BigIntegerField(null=True)),
                ('cardholder_id', models.BigIntegerField(null=True)),
                ('email', models.TextField(null=True)),
                ('card_number', models.TextField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name='MapImport',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('people', 'people and cards'), ('resources', 'resources and doors')], max_length=20, verbose_name='kind')),
                ('state', models.CharField(choices=[('checking', 'being checked'), ('checked', 'checked, not imported'), ('importing', 'being imported'), ('imported', 'imported'), ('failed', 'not imported'), ('dropped', 'dropped'), ('undoing', 'being undone'), ('undone', 'undone')], default='checking', max_length=20, verbose_name='state')),
                ('file_name', models.CharField(max_length=200, verbose_name='file')),
                ('content', models.BinaryField(default=b'')),
                ('actor', models.CharField(max_length=200, verbose_name='uploaded by')),
                ('uploaded_at', models.DateTimeField(default=portal.core.clock.now, verbose_name='uploaded')),
                ('finished_at', models.DateTimeField(null=True, verbose_name='finished')),
                ('leased_until', models.DateTimeField(editable=False, null=True)),
                ('rows_total', models.PositiveIntegerField(default=0, verbose_name='rows')),
                ('rows_done', models.PositiveIntegerField(default=0, verbose_name='rows done')),
                ('created', models.PositiveIntegerField(default=0, verbose_name='new')),
                ('changed', models.PositiveIntegerField(default=0, verbose_name='changed')),
                ('unchanged', models.PositiveIntegerField(default=0, verbose_name='unchanged')),
                ('errors', models.PositiveIntegerField(default=0, verbose_name='rows with errors')),
                ('error_rows', models.JSONField(default=list, editable=False)),
                ('change_rows', models.JSONField(default=list, editable=False)),
                ('notes', portal.core.problems.ProblemsField(editable=False)),
                ('context', models.UUIDField(editable=False, help_text='Its changes in history.', null=True)),
            ],
            options={
                'verbose_name': 'import',
                'verbose_name_plural': 'imports',
                'ordering': ['-id'],
            },
        ),
        migrations.CreateModel(
            name='Membership',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
            ],
            options={
                'verbose_name': 'membership',
                'verbose_name_plural': 'memberships',
            },
        ),
        migrations.CreateModel(
            name='MembershipEvent',
            fields=[
                ('pgh_id', models.AutoField(primary_key=True, serialize=False)),
                ('pgh_created_at', models.DateTimeField(auto_now_add=True)),
                ('pgh_label', models.TextField(help_text='The event label.')),
                ('id', models.BigIntegerField()),
            ],
            options={
                'abstract': False,
            },
        ),
        migrations.CreateModel(
            name='PolicyAdmits',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
            ],
            options={
                'verbose_name': 'access level admitted while booked',
                'verbose_name_plural': 'access levels admitted while booked',
            },
        ),
        migrations.CreateModel(
            name='PolicyAdmitsEvent',
            fields=[
                ('pgh_id', models.AutoField(primary_key=True, serialize=False)),
                ('pgh_created_at', models.DateTimeField(auto_now_add=True)),
                ('pgh_label', models.TextField(help_text='The event label.')),
                ('id', models.BigIntegerField()),
            ],
            options={
                'abstract': False,
            },
        ),
        migrations.CreateModel(
            name='PolicyAlways',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
            ],
            options={
                'verbose_name': 'access level that may always pass',
                'verbose_name_plural': 'access levels that may always pass',
            },
        ),
        migrations.CreateModel(
            name='PolicyAlwaysEvent',
            fields=[
                ('pgh_id', models.AutoField(primary_key=True, serialize=False)),
                ('pgh_created_at', models.DateTimeField(auto_now_add=True)),
                ('pgh_label', models.TextField(help_text='The event label.')),
                ('id', models.BigIntegerField()),
            ],
            options={
                'abstract': False,
            },
        ),
        migrations.CreateModel(
            name='Resource',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('external_id', models.CharField(max_length=200, unique=True, verbose_name='id in Offision')),
                ('name', models.CharField(max_length=200, verbose_name='name')),
            ],
            options={
                'verbose_name': 'resource',
                'verbose_name_plural': 'resources',
                'ordering': ['name'],
            },
        ),
        migrations.CreateModel(
            name='ResourceDoor',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
            ],
            options={
                'verbose_name': 'door of a resource',
                'verbose_name_plural': 'doors of resources',
            },
        ),
        migrations.CreateModel(
            name='ResourceDoorEvent',
            fields=[
                ('pgh_id', models.AutoField(primary_key=True, serialize=False)),
                ('pgh_created_at', models.DateTimeField(auto_now_add=True)),
                ('pgh_label', models.TextField(help_text='The event label.')),
                ('id', models.BigIntegerField()),
            ],
            options={
                'abstract': False,
            },
        ),
        migrations.CreateModel(
            name='ResourceEvent',
            fields=[
                ('pgh_id', models.AutoField(primary_key=True, serialize=False)),
                ('pgh_created_at', models.DateTimeField(auto_now_add=True)),
                ('pgh_label', models.TextField(help_text='The event label.')),
                ('id', models.BigIntegerField()),
                ('external_id', models.CharField(max_length=200, verbose_name='id in Offision')),
                ('name', models.CharField(max_length=200, verbose_name='name')),
            ],
            options={
                'abstract': False,
            },
        ),
        migrations.CreateModel(
            name='Site',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=200, unique=True, verbose_name='name')),
                ('time_zone', models.CharField(max_length=64, validators=[accessmap.models.sites.validate_time_zone], verbose_name='time zone')),
            ],
            options={
                'verbose_name': 'site',
                'verbose_name_plural': 'sites',
                'ordering': ['name'],
            },
        ),
        migrations.CreateModel(
            name='SiteEvent',
            fields=[
                ('pgh_id', models.AutoField(primary_key=True, serialize=False)),
                ('pgh_created_at', models.DateTimeField(auto_now_add=True)),
                ('pgh_label', models.TextField(help_text='The event label.')),
                ('id', models.BigIntegerField()),
                ('name', models.CharField(max_length=200, verbose_name='name')),
                ('time_zone', models.CharField(max_length=64, validators=[accessmap.models.sites.validate_time_zone], verbose_name='time zone')),
            ],
            options={
                'abstract': False,
            },
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='accesslevel',
            trigger=pgtrigger.compiler.Trigger(name='names_insert', sql=pgtrigger.compiler.UpsertTriggerSql(func='WITH changed AS (TABLE new_rows) INSERT INTO accessmap_mapchange (level_id) SELECT DISTINCT changed.id FROM changed; RETURN NULL;', hash='98923066de530f87f2549f125277f9d31bdd7cd9', level='STATEMENT', operation='INSERT', pgid='pgtrigger_names_insert_08b7b', referencing='REFERENCING NEW TABLE AS new_rows ', table='accessmap_accesslevel', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='accesslevel',
            trigger=pgtrigger.compiler.Trigger(name='names_update', sql=pgtrigger.compiler.UpsertTriggerSql(func='WITH changed AS (TABLE old_rows UNION ALL TABLE new_rows) INSERT INTO accessmap_mapchange (level_id) SELECT DISTINCT changed.id FROM changed; RETURN NULL;', hash='e2503f41e495d8c54da1af57e7c197e0da849216', level='STATEMENT', operation='UPDATE', pgid='pgtrigger_names_update_52577', referencing='REFERENCING OLD TABLE AS old_rows  NEW TABLE AS new_rows ', table='accessmap_accesslevel', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='accesslevel',
            trigger=pgtrigger.compiler.Trigger(name='names_delete', sql=pgtrigger.compiler.UpsertTriggerSql(func='WITH changed AS (TABLE old_rows) INSERT INTO accessmap_mapchange (level_id) SELECT DISTINCT changed.id FROM changed; RETURN NULL;', hash='fd904d1deae69b2401d30dfc754399fd7d992ebf', level='STATEMENT', operation='DELETE', pgid='pgtrigger_names_delete_d2830', referencing='REFERENCING OLD TABLE AS old_rows ', table='accessmap_accesslevel', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='accesslevel',
            trigger=pgtrigger.compiler.Trigger(name='insert_insert', sql=pgtrigger.compiler.UpsertTriggerSql(func='INSERT INTO "accessmap_accesslevelevent" ("id", "name", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id") VALUES (NEW."id", NEW."name", _pgh_attach_context(), NOW(), \'insert\', NEW."id"); RETURN NULL;', hash='d795038cde5739be5835d6af7866efe44477aa7e', operation='INSERT', pgid='pgtrigger_insert_insert_8a468', table='accessmap_accesslevel', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='accesslevel',
            trigger=pgtrigger.compiler.Trigger(name='update_update', sql=pgtrigger.compiler.UpsertTriggerSql(condition='WHEN (OLD.* IS DISTINCT FROM NEW.*)', func='INSERT INTO "accessmap_accesslevelevent" ("id", "name", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id") VALUES (NEW."id", NEW."name", _pgh_attach_context(), NOW(), \'update\', NEW."id"); RETURN NULL;', hash='1eeb4171c87967146fae5e7d4c1f782b139a6dd9', operation='UPDATE', pgid='pgtrigger_update_update_0f773', table='accessmap_accesslevel', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='accesslevel',
            trigger=pgtrigger.compiler.Trigger(name='delete_delete', sql=pgtrigger.compiler.UpsertTriggerSql(func='INSERT INTO "accessmap_accesslevelevent" ("id", "name", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id") VALUES (OLD."id", OLD."name", _pgh_attach_context(), NOW(), \'delete\', OLD."id"); RETURN NULL;', hash='77a58513d1cc0ca783f585a9e1b2a00da1a68add', operation='DELETE', pgid='pgtrigger_delete_delete_c41aa', table='accessmap_accesslevel', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='accesslevel',
            trigger=pgtrigger.compiler.Trigger(name='audited', sql=pgtrigger.compiler.UpsertTriggerSql(declare='DECLARE detail JSONB; kept RECORD;', func='\n            detail := jsonb_strip_nulls(jsonb_build_object(\'name\', CASE WHEN OLD."name" IS DISTINCT FROM NEW."name" THEN jsonb_build_array(OLD."name", NEW."name") END));\n            IF TG_OP = \'UPDATE\' AND detail = \'{}\' THEN\n                RETURN NULL;\n            ELSIF TG_OP = \'DELETE\' THEN\n                kept := OLD;\n            ELSE\n                kept := NEW;\n            END IF;\n            INSERT INTO audit_entry\n                (at, actor, action, object_type, object_id, object_label, outcome, reasons, detail)\n            VALUES (\n                clock_timestamp(), left(COALESCE(NULLIF(current_setting(\'pghistory.context_metadata\', true), \'\')::jsonb ->> \'actor\', (SELECT username FROM auth_user WHERE id = (NULLIF(current_setting(\'pghistory.context_metadata\', true), \'\')::jsonb ->> \'user\')::bigint), NULLIF(current_setting(\'portal.process\', true), \'\'), \'database:\' || session_user), 200),\n                \'accessmap.accesslevel.\' || CASE TG_OP\n                    WHEN \'INSERT\' THEN \'added\' WHEN \'UPDATE\' THEN \'changed\' ELSE \'deleted\' END,\n                \'accessmap.AccessLevel\', kept."id"::text, left(COALESCE(kept.name, \'\'), 300),\n                \'done\', \'[]\', detail\n            );\n            RETURN NULL;\n        ', hash='bf76f490ac30d33040b8961af9f6cc48ac175994', operation='INSERT OR UPDATE OR DELETE', pgid='pgtrigger_audited_b5ac0', table='accessmap_accesslevel', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='accesslevel',
            trigger=pgtrigger.compiler.Trigger(name='never_emptied', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'The audit log would not know which rows are gone: use DELETE.';", hash='d398a7ed79244788e3f35e4578c1bb8106a20a26', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_never_emptied_4a93c', table='accessmap_accesslevel', when='BEFORE')),
        ),
        migrations.AddField(
            model_name='accesslevelevent',
            name='pgh_context',
            field=models.ForeignKey(db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='pghistory.context'),
        ),
        migrations.AddField(
            model_name='accesslevelevent',
            name='pgh_obj',
            field=models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='events', to='accessmap.accesslevel'),
        ),
        migrations.AddField(
            model_name='accesspolicyevent',
            name='pgh_context',
            field=models.ForeignKey(db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='pghistory.context'),
        ),
        migrations.AddField(
            model_name='accesspolicyevent',
            name='pgh_obj',
            field=models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='events', to='accessmap.accesspolicy'),
        ),
        migrations.AddField(
            model_name='cardevent',
            name='pgh_context',
            field=models.ForeignKey(db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='pghistory.context'),
        ),
        migrations.AddField(
            model_name='cardevent',
            name='pgh_obj',
            field=models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='events', to='accessmap.card'),
        ),
        migrations.AddField(
            model_name='cardevent',
            name='cardholder',
            field=models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', related_query_name='+', to='accessmap.cardholder', verbose_name='cardholder'),
        ),
        migrations.AddField(
            model_name='card',
            name='cardholder',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='cards', to='accessmap.cardholder', verbose_name='cardholder'),
        ),
        migrations.AddField(
            model_name='cardholderevent',
            name='pgh_context',
            field=models.ForeignKey(db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='pghistory.context'),
        ),
        migrations.AddField(
            model_name='cardholderevent',
            name='pgh_obj',
            field=models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='events', to='accessmap.cardholder'),
        ),
        migrations.AddField(
            model_name='controllerevent',
            name='pgh_context',
            field=models.ForeignKey(db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='pghistory.context'),
        ),
        migrations.AddField(
            model_name='controllerevent',
            name='pgh_obj',
            field=models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='events', to='accessmap.controller'),
        ),
        migrations.AddField(
            model_name='door',
            name='controller',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='doors', to='accessmap.controller', verbose_name='controller'),
        ),
        migrations.AddField(
            model_name='doorevent',
            name='controller',
            field=models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', related_query_name='+', to='accessmap.controller', verbose_name='controller'),
        ),
        migrations.AddField(
            model_name='doorevent',
            name='pgh_context',
            field=models.ForeignKey(db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='pghistory.context'),
        ),
        migrations.AddField(
            model_name='doorevent',
            name='pgh_obj',
            field=models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='events', to='accessmap.door'),
        ),
        migrations.AddField(
            model_name='mapimport',
            name='user',
            field=models.ForeignKey(editable=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='membership',
            name='access_level',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='accessmap.accesslevel', verbose_name='access level'),
        ),
        migrations.AddField(
            model_name='membership',
            name='cardholder',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='accessmap.cardholder'),
        ),
        migrations.AddField(
            model_name='cardholder',
            name='access_levels',
            field=models.ManyToManyField(blank=True, related_name='cardholders', through='accessmap.Membership', to='accessmap.accesslevel', verbose_name='access levels'),
        ),
        migrations.AddField(
            model_name='membershipevent',
            name='access_level',
            field=models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', related_query_name='+', to='accessmap.accesslevel', verbose_name='access level'),
        ),
        migrations.AddField(
            model_name='membershipevent',
            name='cardholder',
            field=models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', related_query_name='+', to='accessmap.cardholder'),
        ),
        migrations.AddField(
            model_name='membershipevent',
            name='pgh_context',
            field=models.ForeignKey(db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='pghistory.context'),
        ),
        migrations.AddField(
            model_name='membershipevent',
            name='pgh_obj',
            field=models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='events', to='accessmap.membership'),
        ),
        migrations.AddField(
            model_name='policyadmits',
            name='access_level',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='accessmap.accesslevel', verbose_name='access level'),
        ),
        migrations.AddField(
            model_name='policyadmits',
            name='policy',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='accessmap.accesspolicy'),
        ),
        migrations.AddField(
            model_name='accesspolicy',
            name='admit_levels',
            field=models.ManyToManyField(blank=True, related_name='admitted_by', through='accessmap.PolicyAdmits', to='accessmap.accesslevel', verbose_name='access levels admitted while booked'),
        ),
        migrations.AddField(
            model_name='policyadmitsevent',
            name='access_level',
            field=models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', related_query_name='+', to='accessmap.accesslevel', verbose_name='access level'),
        ),
        migrations.AddField(
            model_name='policyadmitsevent',
            name='pgh_context',
            field=models.ForeignKey(db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='pghistory.context'),
        ),
        migrations.AddField(
            model_name='policyadmitsevent',
            name='pgh_obj',
            field=models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='events', to='accessmap.policyadmits'),
        ),
        migrations.AddField(
            model_name='policyadmitsevent',
            name='policy',
            field=models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', related_query_name='+', to='accessmap.accesspolicy'),
        ),
        migrations.AddField(
            model_name='policyalways',
            name='access_level',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='accessmap.accesslevel', verbose_name='access level'),
        ),
        migrations.AddField(
            model_name='policyalways',
            name='policy',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='accessmap.accesspolicy'),
        ),
        migrations.AddField(
            model_name='accesspolicy',
            name='always_levels',
            field=models.ManyToManyField(blank=True, related_name='always_admitted_by', through='accessmap.PolicyAlways', to='accessmap.accesslevel', verbose_name='access levels that may always pass'),
        ),
        migrations.AddField(
            model_name='policyalwaysevent',
            name='access_level',
            field=models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', related_query_name='+', to='accessmap.accesslevel', verbose_name='access level'),
        ),
        migrations.AddField(
            model_name='policyalwaysevent',
            name='pgh_context',
            field=models.ForeignKey(db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='pghistory.context'),
        ),
        migrations.AddField(
            model_name='policyalwaysevent',
            name='pgh_obj',
            field=models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='events', to='accessmap.policyalways'),
        ),
        migrations.AddField(
            model_name='policyalwaysevent',
            name='policy',
            field=models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', related_query_name='+', to='accessmap.accesspolicy'),
        ),
        migrations.AddField(
            model_name='resource',
            name='policy',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='resources', to='accessmap.accesspolicy', verbose_name='access policy'),
        ),
        migrations.AddField(
            model_name='resourcedoor',
            name='door',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='accessmap.door', verbose_name='door'),
        ),
        migrations.AddField(
            model_name='resourcedoor',
            name='resource',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='accessmap.resource'),
        ),
        migrations.AddField(
            model_name='resource',
            name='doors',
            field=models.ManyToManyField(blank=True, related_name='resources', through='accessmap.ResourceDoor', to='accessmap.door', verbose_name='doors'),
        ),
        migrations.AddField(
            model_name='resourcedoorevent',
            name='door',
            field=models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', related_query_name='+', to='accessmap.door', verbose_name='door'),
        ),
        migrations.AddField(
            model_name='resourcedoorevent',
            name='pgh_context',
            field=models.ForeignKey(db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='pghistory.context'),
        ),
        migrations.AddField(
            model_name='resourcedoorevent',
            name='pgh_obj',
            field=models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='events', to='accessmap.resourcedoor'),
        ),
        migrations.AddField(
            model_name='resourcedoorevent',
            name='resource',
            field=models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', related_query_name='+', to='accessmap.resource'),
        ),
        migrations.AddField(
            model_name='resourceevent',
            name='pgh_context',
            field=models.ForeignKey(db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='pghistory.context'),
        ),
        migrations.AddField(
            model_name='resourceevent',
            name='pgh_obj',
            field=models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='events', to='accessmap.resource'),
        ),
        migrations.AddField(
            model_name='resourceevent',
            name='policy',
            field=models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', related_query_name='+', to='accessmap.accesspolicy', verbose_name='access policy'),
        ),
        migrations.AddField(
            model_name='resourceevent',
            name='site',
            field=models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', related_query_name='+', to='accessmap.site', verbose_name='site'),
        ),
        migrations.AddField(
            model_name='resource',
            name='site',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='resources', to='accessmap.site', verbose_name='site'),
        ),
        migrations.AddField(
            model_name='controllerevent',
            name='site',
            field=models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', related_query_name='+', to='accessmap.site', verbose_name='site'),
        ),
        migrations.AddField(
            model_name='controller',
            name='site',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='controllers', to='accessmap.site', verbose_name='site'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='site',
            trigger=pgtrigger.compiler.Trigger(name='names_insert', sql=pgtrigger.compiler.UpsertTriggerSql(func='WITH changed AS (TABLE new_rows) INSERT INTO accessmap_mapchange (controller_id) SELECT DISTINCT controller.id FROM changed JOIN accessmap_controller controller ON controller.site_id = changed.id; RETURN NULL;', hash='cc8d69727a78a5a78d33c2de2d6339cd10def2a0', level='STATEMENT', operation='INSERT', pgid='pgtrigger_names_insert_18850', referencing='REFERENCING NEW TABLE AS new_rows ', table='accessmap_site', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='site',
            trigger=pgtrigger.compiler.Trigger(name='names_update', sql=pgtrigger.compiler.UpsertTriggerSql(func='WITH changed AS (TABLE old_rows UNION ALL TABLE new_rows) INSERT INTO accessmap_mapchange (controller_id) SELECT DISTINCT controller.id FROM changed JOIN accessmap_controller controller ON controller.site_id = changed.id; RETURN NULL;', hash='fe580470cdeef5681706bd8b6a1770afe9991880', level='STATEMENT', operation='UPDATE', pgid='pgtrigger_names_update_0e58b', referencing='REFERENCING OLD TABLE AS old_rows  NEW TABLE AS new_rows ', table='accessmap_site', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='site',
            trigger=pgtrigger.compiler.Trigger(name='names_delete', sql=pgtrigger.compiler.UpsertTriggerSql(func='WITH changed AS (TABLE old_rows) INSERT INTO accessmap_mapchange (controller_id) SELECT DISTINCT controller.id FROM changed JOIN accessmap_controller controller ON controller.site_id = changed.id; RETURN NULL;', hash='19ac1a1ebc5602b5a84a4978e8422f864e8b8888', level='STATEMENT', operation='DELETE', pgid='pgtrigger_names_delete_8c9f5', referencing='REFERENCING OLD TABLE AS old_rows ', table='accessmap_site', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='site',
            trigger=pgtrigger.compiler.Trigger(name='insert_insert', sql=pgtrigger.compiler.UpsertTriggerSql(func='INSERT INTO "accessmap_siteevent" ("id", "name", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "time_zone") VALUES (NEW."id", NEW."name", _pgh_attach_context(), NOW(), \'insert\', NEW."id", NEW."time_zone"); RETURN NULL;', hash='599f01e18f827bf4a32f255ddba755f97134e13c', operation='INSERT', pgid='pgtrigger_insert_insert_b8433', table='accessmap_site', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='site',
            trigger=pgtrigger.compiler.Trigger(name='update_update', sql=pgtrigger.compiler.UpsertTriggerSql(condition='WHEN (OLD.* IS DISTINCT FROM NEW.*)', func='INSERT INTO "accessmap_siteevent" ("id", "name", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "time_zone") VALUES (NEW."id", NEW."name", _pgh_attach_context(), NOW(), \'update\', NEW."id", NEW."time_zone"); RETURN NULL;', hash='06ceeaf8517e531801c148248c2a9bb8b210fa5e', operation='UPDATE', pgid='pgtrigger_update_update_f588d', table='accessmap_site', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='site',
            trigger=pgtrigger.compiler.Trigger(name='delete_delete', sql=pgtrigger.compiler.UpsertTriggerSql(func='INSERT INTO "accessmap_siteevent" ("id", "name", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "time_zone") VALUES (OLD."id", OLD."name", _pgh_attach_context(), NOW(), \'delete\', OLD."id", OLD."time_zone"); RETURN NULL;', hash='9e2c44151c5a70c47b5abe5d772b75e6d0233aa3', operation='DELETE', pgid='pgtrigger_delete_delete_dca5d', table='accessmap_site', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='site',
            trigger=pgtrigger.compiler.Trigger(name='audited', sql=pgtrigger.compiler.UpsertTriggerSql(declare='DECLARE detail JSONB; kept RECORD;', func='\n            detail := jsonb_strip_nulls(jsonb_build_object(\'name\', CASE WHEN OLD."name" IS DISTINCT FROM NEW."name" THEN jsonb_build_array(OLD."name", NEW."name") END,\n\'time_zone\', CASE WHEN OLD."time_zone" IS DISTINCT FROM NEW."time_zone" THEN jsonb_build_array(OLD."time_zone", NEW."time_zone") END));\n            IF TG_OP = \'UPDATE\' AND detail = \'{}\' THEN\n                RETURN NULL;\n            ELSIF TG_OP = \'DELETE\' THEN\n                kept := OLD;\n            ELSE\n                kept := NEW;\n            END IF;\n            INSERT INTO audit_entry\n                (at, actor, action, object_type, object_id, object_label, outcome, reasons, detail)\n            VALUES (\n                clock_timestamp(), left(COALESCE(NULLIF(current_setting(\'pghistory.context_metadata\', true), \'\')::jsonb ->> \'actor\', (SELECT username FROM auth_user WHERE id = (NULLIF(current_setting(\'pghistory.context_metadata\', true), \'\')::jsonb ->> \'user\')::bigint), NULLIF(current_setting(\'portal.process\', true), \'\'), \'database:\' || session_user), 200),\n                \'accessmap.site.\' || CASE TG_OP\n                    WHEN \'INSERT\' THEN \'added\' WHEN \'UPDATE\' THEN \'changed\' ELSE \'deleted\' END,\n                \'accessmap.Site\', kept."id"::text, left(COALESCE(kept.name, \'\'), 300),\n                \'done\', \'[]\', detail\n            );\n            RETURN NULL;\n        ', hash='8320ffe71dfc3c2b47210220e6efbe356e570aa5', operation='INSERT OR UPDATE OR DELETE', pgid='pgtrigger_audited_8156c', table='accessmap_site', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='site',
            trigger=pgtrigger.compiler.Trigger(name='never_emptied', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'The audit log would not know which rows are gone: use DELETE.';", hash='996532c6c17ada6d09b8cad370cb3ddb41d1298a', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_never_emptied_b90ec', table='accessmap_site', when='BEFORE')),
        ),
        migrations.AddField(
            model_name='siteevent',
            name='pgh_context',
            field=models.ForeignKey(db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='pghistory.context'),
        ),
        migrations.AddField(
            model_name='siteevent',
            name='pgh_obj',
            field=models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='events', to='accessmap.site'),
        ),
        migrations.AddConstraint(
            model_name='card',
            constraint=models.CheckConstraint(condition=models.Q(('valid_from__isnull', True), ('valid_until__isnull', True), ('valid_from__lt', models.F('valid_until')), _connector='OR'), name='card_validity_in_order', violation_error_message="The card's validity ends before it begins."),
        ),
        migrations.AddConstraint(
            model_name='card',
            constraint=models.CheckConstraint(condition=models.Q(('number', ''), _negated=True), name='card_has_a_number'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='card',
            trigger=pgtrigger.compiler.Trigger(name='names_insert', sql=pgtrigger.compiler.UpsertTriggerSql(func='WITH changed AS (TABLE new_rows) INSERT INTO accessmap_mapchange (cardholder_id, card_number) SELECT DISTINCT changed.cardholder_id, changed.number FROM changed; RETURN NULL;', hash='1e37c98c80c6f02f4611288eee794e904e518d1b', level='STATEMENT', operation='INSERT', pgid='pgtrigger_names_insert_ffe25', referencing='REFERENCING NEW TABLE AS new_rows ', table='accessmap_card', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='card',
            trigger=pgtrigger.compiler.Trigger(name='names_update', sql=pgtrigger.compiler.UpsertTriggerSql(func='WITH changed AS (TABLE old_rows UNION ALL TABLE new_rows) INSERT INTO accessmap_mapchange (cardholder_id, card_number) SELECT DISTINCT changed.cardholder_id, changed.number FROM changed; RETURN NULL;', hash='b211bb424da9fbbeb314ac553b68f2153e7a3469', level='STATEMENT', operation='UPDATE', pgid='pgtrigger_names_update_60b55', referencing='REFERENCING OLD TABLE AS old_rows  NEW TABLE AS new_rows ', table='accessmap_card', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='card',
            trigger=pgtrigger.compiler.Trigger(name='names_delete', sql=pgtrigger.compiler.UpsertTriggerSql(func='WITH changed AS (TABLE old_rows) INSERT INTO accessmap_mapchange (cardholder_id, card_number) SELECT DISTINCT changed.cardholder_id, changed.number FROM changed; RETURN NULL;', hash='88f3afabdf29bc8d1b9489392f8631e626f80e5a', level='STATEMENT', operation='DELETE', pgid='pgtrigger_names_delete_47cbb', referencing='REFERENCING OLD TABLE AS old_rows ', table='accessmap_card', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='card',
            trigger=pgtrigger.compiler.Trigger(name='insert_insert', sql=pgtrigger.compiler.UpsertTriggerSql(func='INSERT INTO "accessmap_cardevent" ("cardholder_id", "id", "number", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "status", "valid_from", "valid_until") VALUES (NEW."cardholder_id", NEW."id", NEW."number", _pgh_attach_context(), NOW(), \'insert\', NEW."id", NEW."status", NEW."valid_from", NEW."valid_until"); RETURN NULL;', hash='947880092d7d0375e3449b28572a53b20ecb8f23', operation='INSERT', pgid='pgtrigger_insert_insert_43bf8', table='accessmap_card', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='card',
            trigger=pgtrigger.compiler.Trigger(name='update_update', sql=pgtrigger.compiler.UpsertTriggerSql(condition='WHEN (OLD.* IS DISTINCT FROM NEW.*)', func='INSERT INTO "accessmap_cardevent" ("cardholder_id", "id", "number", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "status", "valid_from", "valid_until") VALUES (NEW."cardholder_id", NEW."id", NEW."number", _pgh_attach_context(), NOW(), \'update\', NEW."id", NEW."status", NEW."valid_from", NEW."valid_until"); RETURN NULL;', hash='a62e0b3594a6f4f02c8d6624f7bbdeb72e15e7dc', operation='UPDATE', pgid='pgtrigger_update_update_e8c3c', table='accessmap_card', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='card',
            trigger=pgtrigger.compiler.Trigger(name='delete_delete', sql=pgtrigger.compiler.UpsertTriggerSql(func='INSERT INTO "accessmap_cardevent" ("cardholder_id", "id", "number", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "status", "valid_from", "valid_until") VALUES (OLD."cardholder_id", OLD."id", OLD."number", _pgh_attach_context(), NOW(), \'delete\', OLD."id", OLD."status", OLD."valid_from", OLD."valid_until"); RETURN NULL;', hash='10d0db858290733c6f3a1ba0dba343c6e6832f41', operation='DELETE', pgid='pgtrigger_delete_delete_51d5e', table='accessmap_card', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='card',
            trigger=pgtrigger.compiler.Trigger(name='audited', sql=pgtrigger.compiler.UpsertTriggerSql(declare='DECLARE detail JSONB; kept RECORD;', func='\n            detail := jsonb_strip_nulls(jsonb_build_object(\'cardholder\', CASE WHEN OLD."cardholder_id" IS DISTINCT FROM NEW."cardholder_id" THEN jsonb_build_array((SELECT CASE WHEN target.email <> \'\' THEN target.name || \' <\' || target.email || \'>\' ELSE target.name END FROM "accessmap_cardholder" target WHERE target."id" = OLD."cardholder_id"), (SELECT CASE WHEN target.email <> \'\' THEN target.name || \' <\' || target.email || \'>\' ELSE target.name END FROM "accessmap_cardholder" target WHERE target."id" = NEW."cardholder_id")) END,\n\'number\', CASE WHEN OLD."number" IS DISTINCT FROM NEW."number" THEN jsonb_build_array(CASE WHEN length(OLD."number") > 4 THEN \'••••\' || right(OLD."number", 4) WHEN OLD."number" IS NOT NULL THEN \'••••\' END, CASE WHEN length(NEW."number") > 4 THEN \'••••\' || right(NEW."number", 4) WHEN NEW."number" IS NOT NULL THEN \'••••\' END) END,\n\'status\', CASE WHEN OLD."status" IS DISTINCT FROM NEW."status" THEN jsonb_build_array(OLD."status", NEW."status") END,\n\'valid_from\', CASE WHEN OLD."valid_from" IS DISTINCT FROM NEW."valid_from" THEN jsonb_build_array(OLD."valid_from", NEW."valid_from") END,\n\'valid_until\', CASE WHEN OLD."valid_until" IS DISTINCT FROM NEW."valid_until" THEN jsonb_build_array(OLD."valid_until", NEW."valid_until") END));\n            IF TG_OP = \'UPDATE\' AND detail = \'{}\' THEN\n                RETURN NULL;\n            ELSIF TG_OP = \'DELETE\' THEN\n                kept := OLD;\n            ELSE\n                kept := NEW;\n            END IF;\n            INSERT INTO audit_entry\n                (at, actor, action, object_type, object_id, object_label, outcome, reasons, detail)\n            VALUES (\n                clock_timestamp(), left(COALESCE(NULLIF(current_setting(\'pghistory.context_metadata\', true), \'\')::jsonb ->> \'actor\', (SELECT username FROM auth_user WHERE id = (NULLIF(current_setting(\'pghistory.context_metadata\', true), \'\')::jsonb ->> \'user\')::bigint), NULLIF(current_setting(\'portal.process\', true), \'\'), \'database:\' || session_user), 200),\n                \'accessmap.card.\' || CASE TG_OP\n                    WHEN \'INSERT\' THEN \'added\' WHEN \'UPDATE\' THEN \'changed\' ELSE \'deleted\' END,\n                \'accessmap.Card\', kept."id"::text, left(COALESCE(CASE WHEN length(kept.number) > 4 THEN \'••••\' || right(kept.number, 4) WHEN kept.number IS NOT NULL THEN \'••••\' END || COALESCE(\' (\' || (SELECT named.name FROM accessmap_cardholder named WHERE named.id = kept.cardholder_id) || \')\', \'\'), \'\'), 300),\n                \'done\', \'[]\', detail\n            );\n            RETURN NULL;\n        ', hash='169e4493e59464b3af966013cbb7ead160f783e3', operation='INSERT OR UPDATE OR DELETE', pgid='pgtrigger_audited_a56e5', table='accessmap_card', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='card',
            trigger=pgtrigger.compiler.Trigger(name='never_emptied', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'The audit log would not know which rows are gone: use DELETE.';", hash='7b0c6c516adc19693cd088f2288589dfaa562813', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_never_emptied_d0821', table='accessmap_card', when='BEFORE')),
        ),
        migrations.AddConstraint(
            model_name='door',
            constraint=models.UniqueConstraint(fields=('controller', 'number'), name='one_door_a_number'),
        ),
        migrations.AddConstraint(
            model_name='door',
            constraint=models.UniqueConstraint(fields=('controller', 'name'), name='one_door_a_name'),
        ),
        migrations.AddConstraint(
            model_name='door',
            constraint=models.CheckConstraint(condition=models.Q(('number__gte', 1)), name='door_numbers_from_one'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='door',
            trigger=pgtrigger.compiler.Trigger(name='names_insert', sql=pgtrigger.compiler.UpsertTriggerSql(func='WITH changed AS (TABLE new_rows) INSERT INTO accessmap_mapchange (controller_id) SELECT DISTINCT changed.controller_id FROM changed; RETURN NULL;', hash='49c9f3bfa9121d3ec642d6042a6d1cae79d8ff90', level='STATEMENT', operation='INSERT', pgid='pgtrigger_names_insert_7f7bd', referencing='REFERENCING NEW TABLE AS new_rows ', table='accessmap_door', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='door',
            trigger=pgtrigger.compiler.Trigger(name='names_update', sql=pgtrigger.compiler.UpsertTriggerSql(func='WITH changed AS (TABLE old_rows UNION ALL TABLE new_rows) INSERT INTO accessmap_mapchange (controller_id) SELECT DISTINCT changed.controller_id FROM changed; RETURN NULL;', hash='7c2f586758875f5d119430e6516ce89076a1ea0c', level='STATEMENT', operation='UPDATE', pgid='pgtrigger_names_update_ac47e', referencing='REFERENCING OLD TABLE AS old_rows  NEW TABLE AS new_rows ', table='accessmap_door', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='door',
            trigger=pgtrigger.compiler.Trigger(name='names_delete', sql=pgtrigger.compiler.UpsertTriggerSql(func='WITH changed AS (TABLE old_rows) INSERT INTO accessmap_mapchange (controller_id) SELECT DISTINCT changed.controller_id FROM changed; RETURN NULL;', hash='9269619b9d0aa2c84b0e71ffd691d92fe3ec98dc', level='STATEMENT', operation='DELETE', pgid='pgtrigger_names_delete_3b15f', referencing='REFERENCING OLD TABLE AS old_rows ', table='accessmap_door', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='door',
            trigger=pgtrigger.compiler.Trigger(name='insert_insert', sql=pgtrigger.compiler.UpsertTriggerSql(func='INSERT INTO "accessmap_doorevent" ("controller_id", "floor", "id", "name", "number", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id") VALUES (NEW."controller_id", NEW."floor", NEW."id", NEW."name", NEW."number", _pgh_attach_context(), NOW(), \'insert\', NEW."id"); RETURN NULL;', hash='2cab69569f55b10c873648ce0fd2073ad6ddee6d', operation='INSERT', pgid='pgtrigger_insert_insert_6ba34', table='accessmap_door', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='door',
            trigger=pgtrigger.compiler.Trigger(name='update_update', sql=pgtrigger.compiler.UpsertTriggerSql(condition='WHEN (OLD.* IS DISTINCT FROM NEW.*)', func='INSERT INTO "accessmap_doorevent" ("controller_id", "floor", "id", "name", "number", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id") VALUES (NEW."controller_id", NEW."floor", NEW."id", NEW."name", NEW."number", _pgh_attach_context(), NOW(), \'update\', NEW."id"); RETURN NULL;', hash='a6b475ef520c0e06874437cd84690a3ff4a64985', operation='UPDATE', pgid='pgtrigger_update_update_172d5', table='accessmap_door', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='door',
            trigger=pgtrigger.compiler.Trigger(name='delete_delete', sql=pgtrigger.compiler.UpsertTriggerSql(func='INSERT INTO "accessmap_doorevent" ("controller_id", "floor", "id", "name", "number", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id") VALUES (OLD."controller_id", OLD."floor", OLD."id", OLD."name", OLD."number", _pgh_attach_context(), NOW(), \'delete\', OLD."id"); RETURN NULL;', hash='93b345ad87c8642d41e5623dce32ce64ec008f5f', operation='DELETE', pgid='pgtrigger_delete_delete_fc0b3', table='accessmap_door', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='door',
            trigger=pgtrigger.compiler.Trigger(name='audited', sql=pgtrigger.compiler.UpsertTriggerSql(declare='DECLARE detail JSONB; kept RECORD;', func='\n            detail := jsonb_strip_nulls(jsonb_build_object(\'controller\', CASE WHEN OLD."controller_id" IS DISTINCT FROM NEW."controller_id" THEN jsonb_build_array((SELECT target.name FROM "accessmap_controller" target WHERE target."id" = OLD."controller_id"), (SELECT target.name FROM "accessmap_controller" target WHERE target."id" = NEW."controller_id")) END,\n\'number\', CASE WHEN OLD."number" IS DISTINCT FROM NEW."number" THEN jsonb_build_array(OLD."number", NEW."number") END,\n\'name\', CASE WHEN OLD."name" IS DISTINCT FROM NEW."name" THEN jsonb_build_array(OLD."name", NEW."name") END,\n\'floor\', CASE WHEN OLD."floor" IS DISTINCT FROM NEW."floor" THEN jsonb_build_array(OLD."floor", NEW."floor") END));\n            IF TG_OP = \'UPDATE\' AND detail = \'{}\' THEN\n                RETURN NULL;\n            ELSIF TG_OP = \'DELETE\' THEN\n                kept := OLD;\n            ELSE\n                kept := NEW;\n            END IF;\n            INSERT INTO audit_entry\n                (at, actor, action, object_type, object_id, object_label, outcome, reasons, detail)\n            VALUES (\n                clock_timestamp(), left(COALESCE(NULLIF(current_setting(\'pghistory.context_metadata\', true), \'\')::jsonb ->> \'actor\', (SELECT username FROM auth_user WHERE id = (NULLIF(current_setting(\'pghistory.context_metadata\', true), \'\')::jsonb ->> \'user\')::bigint), NULLIF(current_setting(\'portal.process\', true), \'\'), \'database:\' || session_user), 200),\n                \'accessmap.door.\' || CASE TG_OP\n                    WHEN \'INSERT\' THEN \'added\' WHEN \'UPDATE\' THEN \'changed\' ELSE \'deleted\' END,\n                \'accessmap.Door\', kept."id"::text, left(COALESCE(COALESCE((SELECT named.name FROM accessmap_controller named WHERE named.id = kept.controller_id) || \': \', \'\') || kept.name, \'\'), 300),\n                \'done\', \'[]\', detail\n            );\n            RETURN NULL;\n        ', hash='4a771daa985632eaeace07902331f7ce15df071b', operation='INSERT OR UPDATE OR DELETE', pgid='pgtrigger_audited_d2192', table='accessmap_door', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='door',
            trigger=pgtrigger.compiler.Trigger(name='never_emptied', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'The audit log would not know which rows are gone: use DELETE.';", hash='431c14ebc1a7393011e58c9234552245cc681f8b', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_never_emptied_869da', table='accessmap_door', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='mapimport',
            trigger=pgtrigger.compiler.Trigger(name='audited', sql=pgtrigger.compiler.UpsertTriggerSql(declare='DECLARE detail JSONB; kept RECORD;', func='\n            detail := jsonb_strip_nulls(jsonb_build_object(\'kind\', CASE WHEN OLD."kind" IS DISTINCT FROM NEW."kind" THEN jsonb_build_array(OLD."kind", NEW."kind") END,\n\'state\', CASE WHEN OLD."state" IS DISTINCT FROM NEW."state" THEN jsonb_build_array(OLD."state", NEW."state") END,\n\'file_name\', CASE WHEN OLD."file_name" IS DISTINCT FROM NEW."file_name" THEN jsonb_build_array(OLD."file_name", NEW."file_name") END,\n\'actor\', CASE WHEN OLD."actor" IS DISTINCT FROM NEW."actor" THEN jsonb_build_array(OLD."actor", NEW."actor") END));\n            IF TG_OP = \'UPDATE\' AND detail = \'{}\' THEN\n                RETURN NULL;\n            ELSIF TG_OP = \'DELETE\' THEN\n                kept := OLD;\n            ELSE\n                kept := NEW;\n            END IF;\n            INSERT INTO audit_entry\n                (at, actor, action, object_type, object_id, object_label, outcome, reasons, detail)\n            VALUES (\n                clock_timestamp(), left(COALESCE(NULLIF(current_setting(\'pghistory.context_metadata\', true), \'\')::jsonb ->> \'actor\', (SELECT username FROM auth_user WHERE id = (NULLIF(current_setting(\'pghistory.context_metadata\', true), \'\')::jsonb ->> \'user\')::bigint), NULLIF(current_setting(\'portal.process\', true), \'\'), \'database:\' || session_user), 200),\n                \'accessmap.mapimport.\' || CASE TG_OP\n                    WHEN \'INSERT\' THEN \'added\' WHEN \'UPDATE\' THEN \'changed\' ELSE \'deleted\' END,\n                \'accessmap.MapImport\', kept."id"::text, left(COALESCE(kept.file_name, \'\'), 300),\n                \'done\', \'[]\', detail\n            );\n            RETURN NULL;\n        ', hash='96768039c432a2491c7b9eea294fd2dd9fd286ce', operation='INSERT OR UPDATE OR DELETE', pgid='pgtrigger_audited_b52f9', table='accessmap_mapimport', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='mapimport',
            trigger=pgtrigger.compiler.Trigger(name='never_emptied', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'The audit log would not know which rows are gone: use DELETE.';", hash='e56e8dfc42747857c2ee4c34cff853267f500495', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_never_emptied_09330', table='accessmap_mapimport', when='BEFORE')),
        ),
        migrations.AddConstraint(
            model_name='membership',
            constraint=models.UniqueConstraint(fields=('cardholder', 'access_level'), name='one_membership_a_level'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='membership',
            trigger=pgtrigger.compiler.Trigger(name='names_insert', sql=pgtrigger.compiler.UpsertTriggerSql(func='WITH changed AS (TABLE new_rows) INSERT INTO accessmap_mapchange (level_id) SELECT DISTINCT changed.access_level_id FROM changed; RETURN NULL;', hash='ecb083351648a25aed62795b5fc756b3eedce39b', level='STATEMENT', operation='INSERT', pgid='pgtrigger_names_insert_4f72d', referencing='REFERENCING NEW TABLE AS new_rows ', table='accessmap_membership', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='membership',
            trigger=pgtrigger.compiler.Trigger(name='names_update', sql=pgtrigger.compiler.UpsertTriggerSql(func='WITH changed AS (TABLE old_rows UNION ALL TABLE new_rows) INSERT INTO accessmap_mapchange (level_id) SELECT DISTINCT changed.access_level_id FROM changed; RETURN NULL;', hash='3a194f272ec8a261add45d3378cb6a0cb0076281', level='STATEMENT', operation='UPDATE', pgid='pgtrigger_names_update_8f740', referencing='REFERENCING OLD TABLE AS old_rows  NEW TABLE AS new_rows ', table='accessmap_membership', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='membership',
            trigger=pgtrigger.compiler.Trigger(name='names_delete', sql=pgtrigger.compiler.UpsertTriggerSql(func='WITH changed AS (TABLE old_rows) INSERT INTO accessmap_mapchange (level_id) SELECT DISTINCT changed.access_level_id FROM changed; RETURN NULL;', hash='9007499ce14b299b7d38231eb20998b5a1bd0f81', level='STATEMENT', operation='DELETE', pgid='pgtrigger_names_delete_7ef08', referencing='REFERENCING OLD TABLE AS old_rows ', table='accessmap_membership', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='membership',
            trigger=pgtrigger.compiler.Trigger(name='insert_insert', sql=pgtrigger.compiler.UpsertTriggerSql(func='INSERT INTO "accessmap_membershipevent" ("access_level_id", "cardholder_id", "id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id") VALUES (NEW."access_level_id", NEW."cardholder_id", NEW."id", _pgh_attach_context(), NOW(), \'insert\', NEW."id"); RETURN NULL;', hash='de5189610723e4bb938ece1348bb09e88cb4ea7e', operation='INSERT', pgid='pgtrigger_insert_insert_7880b', table='accessmap_membership', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='membership',
            trigger=pgtrigger.compiler.Trigger(name='update_update', sql=pgtrigger.compiler.UpsertTriggerSql(condition='WHEN (OLD.* IS DISTINCT FROM NEW.*)', func='INSERT INTO "accessmap_membershipevent" ("access_level_id", "cardholder_id", "id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id") VALUES (NEW."access_level_id", NEW."cardholder_id", NEW."id", _pgh_attach_context(), NOW(), \'update\', NEW."id"); RETURN NULL;', hash='4475b7d4d49277b21042b55702854597e0baeb3c', operation='UPDATE', pgid='pgtrigger_update_update_c61ac', table='accessmap_membership', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='membership',
            trigger=pgtrigger.compiler.Trigger(name='delete_delete', sql=pgtrigger.compiler.UpsertTriggerSql(func='INSERT INTO "accessmap_membershipevent" ("access_level_id", "cardholder_id", "id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id") VALUES (OLD."access_level_id", OLD."cardholder_id", OLD."id", _pgh_attach_context(), NOW(), \'delete\', OLD."id"); RETURN NULL;', hash='a5fff46c4bc9b74cc873252098a3038656c82d13', operation='DELETE', pgid='pgtrigger_delete_delete_dc01c', table='accessmap_membership', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='membership',
            trigger=pgtrigger.compiler.Trigger(name='audited', sql=pgtrigger.compiler.UpsertTriggerSql(declare='DECLARE detail JSONB; kept RECORD;', func='\n            detail := jsonb_strip_nulls(jsonb_build_object(\'cardholder\', CASE WHEN OLD."cardholder_id" IS DISTINCT FROM NEW."cardholder_id" THEN jsonb_build_array((SELECT CASE WHEN target.email <> \'\' THEN target.name || \' <\' || target.email || \'>\' ELSE target.name END FROM "accessmap_cardholder" target WHERE target."id" = OLD."cardholder_id"), (SELECT CASE WHEN target.email <> \'\' THEN target.name || \' <\' || target.email || \'>\' ELSE target.name END FROM "accessmap_cardholder" target WHERE target."id" = NEW."cardholder_id")) END,\n\'access_level\', CASE WHEN OLD."access_level_id" IS DISTINCT FROM NEW."access_level_id" THEN jsonb_build_array((SELECT target.name FROM "accessmap_accesslevel" target WHERE target."id" = OLD."access_level_id"), (SELECT target.name FROM "accessmap_accesslevel" target WHERE target."id" = NEW."access_level_id")) END));\n            IF TG_OP = \'UPDATE\' AND detail = \'{}\' THEN\n                RETURN NULL;\n            ELSIF TG_OP = \'DELETE\' THEN\n                kept := OLD;\n            ELSE\n                kept := NEW;\n            END IF;\n            INSERT INTO audit_entry\n                (at, actor, action, object_type, object_id, object_label, outcome, reasons, detail)\n            VALUES (\n                clock_timestamp(), left(COALESCE(NULLIF(current_setting(\'pghistory.context_metadata\', true), \'\')::jsonb ->> \'actor\', (SELECT username FROM auth_user WHERE id = (NULLIF(current_setting(\'pghistory.context_metadata\', true), \'\')::jsonb ->> \'user\')::bigint), NULLIF(current_setting(\'portal.process\', true), \'\'), \'database:\' || session_user), 200),\n                \'accessmap.membership.\' || CASE TG_OP\n                    WHEN \'INSERT\' THEN \'added\' WHEN \'UPDATE\' THEN \'changed\' ELSE \'deleted\' END,\n                \'accessmap.Membership\', kept."id"::text, left(COALESCE((SELECT named.name FROM accessmap_cardholder named WHERE named.id = kept.cardholder_id) || \': \' || (SELECT named.name FROM accessmap_accesslevel named WHERE named.id = kept.access_level_id), \'\'), 300),\n                \'done\', \'[]\', detail\n            );\n            RETURN NULL;\n        ', hash='e1a5f5cce635aa35ec83efdcb8951406f51c6167', operation='INSERT OR UPDATE OR DELETE', pgid='pgtrigger_audited_a2a20', table='accessmap_membership', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='membership',
            trigger=pgtrigger.compiler.Trigger(name='never_emptied', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'The audit log would not know which rows are gone: use DELETE.';", hash='16fe7dd547026f6bb7bb62bd132888b755a10226', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_never_emptied_9c7fa', table='accessmap_membership', when='BEFORE')),
        ),
        migrations.AddConstraint(
            model_name='cardholder',
            constraint=models.UniqueConstraint(django.db.models.functions.text.Lower('email'), condition=models.Q(('email', ''), _negated=True), name='one_cardholder_an_email', violation_error_message='There is a cardholder with this email already.'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='cardholder',
            trigger=pgtrigger.compiler.Trigger(name='names_insert', sql=pgtrigger.compiler.UpsertTriggerSql(func='WITH changed AS (TABLE new_rows) INSERT INTO accessmap_mapchange (cardholder_id, email) SELECT DISTINCT changed.id, changed.email FROM changed; RETURN NULL;', hash='ee485c5911841eea4c5b6636c7d9ab8596f7475b', level='STATEMENT', operation='INSERT', pgid='pgtrigger_names_insert_73e86', referencing='REFERENCING NEW TABLE AS new_rows ', table='accessmap_cardholder', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='cardholder',
            trigger=pgtrigger.compiler.Trigger(name='names_update', sql=pgtrigger.compiler.UpsertTriggerSql(func='WITH changed AS (TABLE old_rows UNION ALL TABLE new_rows) INSERT INTO accessmap_mapchange (cardholder_id, email) SELECT DISTINCT changed.id, changed.email FROM changed; RETURN NULL;', hash='27c504b0246c2ba888b8b1dbd1b71eb4ae59306d', level='STATEMENT', operation='UPDATE', pgid='pgtrigger_names_update_a8f9b', referencing='REFERENCING OLD TABLE AS old_rows  NEW TABLE AS new_rows ', table='accessmap_cardholder', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='cardholder',
            trigger=pgtrigger.compiler.Trigger(name='names_delete', sql=pgtrigger.compiler.UpsertTriggerSql(func='WITH changed AS (TABLE old_rows) INSERT INTO accessmap_mapchange (cardholder_id, email) SELECT DISTINCT changed.id, changed.email FROM changed; RETURN NULL;', hash='4ed984356d77cd67799ed9d9b733070d3ba68327', level='STATEMENT', operation='DELETE', pgid='pgtrigger_names_delete_fcce3', referencing='REFERENCING OLD TABLE AS old_rows ', table='accessmap_cardholder', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='cardholder',
            trigger=pgtrigger.compiler.Trigger(name='insert_insert', sql=pgtrigger.compiler.UpsertTriggerSql(func='INSERT INTO "accessmap_cardholderevent" ("email", "id", "name", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id") VALUES (NEW."email", NEW."id", NEW."name", _pgh_attach_context(), NOW(), \'insert\', NEW."id"); RETURN NULL;', hash='d16ee0feb9da55c2b132af1bce62c52541f4b9f1', operation='INSERT', pgid='pgtrigger_insert_insert_5917e', table='accessmap_cardholder', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='cardholder',
            trigger=pgtrigger.compiler.Trigger(name='update_update', sql=pgtrigger.compiler.UpsertTriggerSql(condition='WHEN (OLD.* IS DISTINCT FROM NEW.*)', func='INSERT INTO "accessmap_cardholderevent" ("email", "id", "name", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id") VALUES (NEW."email", NEW."id", NEW."name", _pgh_attach_context(), NOW(), \'update\', NEW."id"); RETURN NULL;', hash='0fd06e4fffa61ceec6d7c9fd6779dc2f23766875', operation='UPDATE', pgid='pgtrigger_update_update_dd109', table='accessmap_cardholder', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='cardholder',
            trigger=pgtrigger.compiler.Trigger(name='delete_delete', sql=pgtrigger.compiler.UpsertTriggerSql(func='INSERT INTO "accessmap_cardholderevent" ("email", "id", "name", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id") VALUES (OLD."email", OLD."id", OLD."name", _pgh_attach_context(), NOW(), \'delete\', OLD."id"); RETURN NULL;', hash='94555b5c1b4674740c4fe14b40cbd5986e9867ab', operation='DELETE', pgid='pgtrigger_delete_delete_75a00', table='accessmap_cardholder', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='cardholder',
            trigger=pgtrigger.compiler.Trigger(name='audited', sql=pgtrigger.compiler.UpsertTriggerSql(declare='DECLARE detail JSONB; kept RECORD;', func='\n            detail := jsonb_strip_nulls(jsonb_build_object(\'email\', CASE WHEN OLD."email" IS DISTINCT FROM NEW."email" THEN jsonb_build_array(OLD."email", NEW."email") END,\n\'name\', CASE WHEN OLD."name" IS DISTINCT FROM NEW."name" THEN jsonb_build_array(OLD."name", NEW."name") END));\n            IF TG_OP = \'UPDATE\' AND detail = \'{}\' THEN\n                RETURN NULL;\n            ELSIF TG_OP = \'DELETE\' THEN\n                kept := OLD;\n            ELSE\n                kept := NEW;\n            END IF;\n            INSERT INTO audit_entry\n                (at, actor, action, object_type, object_id, object_label, outcome, reasons, detail)\n            VALUES (\n                clock_timestamp(), left(COALESCE(NULLIF(current_setting(\'pghistory.context_metadata\', true), \'\')::jsonb ->> \'actor\', (SELECT username FROM auth_user WHERE id = (NULLIF(current_setting(\'pghistory.context_metadata\', true), \'\')::jsonb ->> \'user\')::bigint), NULLIF(current_setting(\'portal.process\', true), \'\'), \'database:\' || session_user), 200),\n                \'accessmap.cardholder.\' || CASE TG_OP\n                    WHEN \'INSERT\' THEN \'added\' WHEN \'UPDATE\' THEN \'changed\' ELSE \'deleted\' END,\n                \'accessmap.Cardholder\', kept."id"::text, left(COALESCE(CASE WHEN kept.email <> \'\' THEN kept.name || \' <\' || kept.email || \'>\' ELSE kept.name END, \'\'), 300),\n                \'done\', \'[]\', detail\n            );\n            RETURN NULL;\n        ', hash='3178b7f5775e99317e9db3546d885d7c03475efc', operation='INSERT OR UPDATE OR DELETE', pgid='pgtrigger_audited_615ec', table='accessmap_cardholder', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='cardholder',
            trigger=pgtrigger.compiler.Trigger(name='never_emptied', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'The audit log would not know which rows are gone: use DELETE.';", hash='bd63c13a2182cf0cbca64ae5aeaa0a826873f706', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_never_emptied_bdc75', table='accessmap_cardholder', when='BEFORE')),
        ),
        migrations.AddConstraint(
            model_name='policyadmits',
            constraint=models.UniqueConstraint(fields=('policy', 'access_level'), name='one_admits_a_level'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='policyadmits',
            trigger=pgtrigger.compiler.Trigger(name='names_insert', sql=pgtrigger.compiler.UpsertTriggerSql(func='WITH changed AS (TABLE new_rows) INSERT INTO accessmap_mapchange (policy_id) SELECT DISTINCT changed.policy_id FROM changed; RETURN NULL;', hash='5d9cd1a601e6b73eb5be322fe6d94936401270c8', level='STATEMENT', operation='INSERT', pgid='pgtrigger_names_insert_173b1', referencing='REFERENCING NEW TABLE AS new_rows ', table='accessmap_policyadmits', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='policyadmits',
            trigger=pgtrigger.compiler.Trigger(name='names_update', sql=pgtrigger.compiler.UpsertTriggerSql(func='WITH changed AS (TABLE old_rows UNION ALL TABLE new_rows) INSERT INTO accessmap_mapchange (policy_id) SELECT DISTINCT changed.policy_id FROM changed; RETURN NULL;', hash='73cd2ccedb8abc545407e6d26af87a32b0b2717c', level='STATEMENT', operation='UPDATE', pgid='pgtrigger_names_update_d833d', referencing='REFERENCING OLD TABLE AS old_rows  NEW TABLE AS new_rows ', table='accessmap_policyadmits', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='policyadmits',
            trigger=pgtrigger.compiler.Trigger(name='names_delete', sql=pgtrigger.compiler.UpsertTriggerSql(func='WITH changed AS (TABLE old_rows) INSERT INTO accessmap_mapchange (policy_id) SELECT DISTINCT changed.policy_id FROM changed; RETURN NULL;', hash='936de7c66ab2d53bf38ba5db00d7f0eaeaf433fc', level='STATEMENT', operation='DELETE', pgid='pgtrigger_names_delete_6add7', referencing='REFERENCING OLD TABLE AS old_rows ', table='accessmap_policyadmits', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='policyadmits',
            trigger=pgtrigger.compiler.Trigger(name='insert_insert', sql=pgtrigger.compiler.UpsertTriggerSql(func='INSERT INTO "accessmap_policyadmitsevent" ("access_level_id", "id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "policy_id") VALUES (NEW."access_level_id", NEW."id", _pgh_attach_context(), NOW(), \'insert\', NEW."id", NEW."policy_id"); RETURN NULL;', hash='095787237ed5980b55aa54c5117b6603bcaeb688', operation='INSERT', pgid='pgtrigger_insert_insert_7042f', table='accessmap_policyadmits', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='policyadmits',
            trigger=pgtrigger.compiler.Trigger(name='update_update', sql=pgtrigger.compiler.UpsertTriggerSql(condition='WHEN (OLD.* IS DISTINCT FROM NEW.*)', func='INSERT INTO "accessmap_policyadmitsevent" ("access_level_id", "id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "policy_id") VALUES (NEW."access_level_id", NEW."id", _pgh_attach_context(), NOW(), \'update\', NEW."id", NEW."policy_id"); RETURN NULL;', hash='50d187f85ad726fd7e38d3ff42e926564f74e0e8', operation='UPDATE', pgid='pgtrigger_update_update_f0675', table='accessmap_policyadmits', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='policyadmits',
            trigger=pgtrigger.compiler.Trigger(name='delete_delete', sql=pgtrigger.compiler.UpsertTriggerSql(func='INSERT INTO "accessmap_policyadmitsevent" ("access_level_id", "id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "policy_id") VALUES (OLD."access_level_id", OLD."id", _pgh_attach_context(), NOW(), \'delete\', OLD."id", OLD."policy_id"); RETURN NULL;', hash='457a360ba57e560645ce9f61d1407c62860d42d2', operation='DELETE', pgid='pgtrigger_delete_delete_b96c2', table='accessmap_policyadmits', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='policyadmits',
            trigger=pgtrigger.compiler.Trigger(name='audited', sql=pgtrigger.compiler.UpsertTriggerSql(declare='DECLARE detail JSONB; kept RECORD;', func='\n            detail := jsonb_strip_nulls(jsonb_build_object(\'policy\', CASE WHEN OLD."policy_id" IS DISTINCT FROM NEW."policy_id" THEN jsonb_build_array((SELECT target.name FROM "accessmap_accesspolicy" target WHERE target."id" = OLD."policy_id"), (SELECT target.name FROM "accessmap_accesspolicy" target WHERE target."id" = NEW."policy_id")) END,\n\'access_level\', CASE WHEN OLD."access_level_id" IS DISTINCT FROM NEW."access_level_id" THEN jsonb_build_array((SELECT target.name FROM "accessmap_accesslevel" target WHERE target."id" = OLD."access_level_id"), (SELECT target.name FROM "accessmap_accesslevel" target WHERE target."id" = NEW."access_level_id")) END));\n            IF TG_OP = \'UPDATE\' AND detail = \'{}\' THEN\n                RETURN NULL;\n            ELSIF TG_OP = \'DELETE\' THEN\n                kept := OLD;\n            ELSE\n                kept := NEW;\n            END IF;\n            INSERT INTO audit_entry\n                (at, actor, action, object_type, object_id, object_label, outcome, reasons, detail)\n            VALUES (\n                clock_timestamp(), left(COALESCE(NULLIF(current_setting(\'pghistory.context_metadata\', true), \'\')::jsonb ->> \'actor\', (SELECT username FROM auth_user WHERE id = (NULLIF(current_setting(\'pghistory.context_metadata\', true), \'\')::jsonb ->> \'user\')::bigint), NULLIF(current_setting(\'portal.process\', true), \'\'), \'database:\' || session_user), 200),\n                \'accessmap.policyadmits.\' || CASE TG_OP\n                    WHEN \'INSERT\' THEN \'added\' WHEN \'UPDATE\' THEN \'changed\' ELSE \'deleted\' END,\n                \'accessmap.PolicyAdmits\', kept."id"::text, left(COALESCE((SELECT named.name FROM accessmap_accesspolicy named WHERE named.id = kept.policy_id) || \': \' || (SELECT named.name FROM accessmap_accesslevel named WHERE named.id = kept.access_level_id), \'\'), 300),\n                \'done\', \'[]\', detail\n            );\n            RETURN NULL;\n        ', hash='fe65813df4c1ec2030b68b223a9d0084c5f00f55', operation='INSERT OR UPDATE OR DELETE', pgid='pgtrigger_audited_c2d54', table='accessmap_policyadmits', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='policyadmits',
            trigger=pgtrigger.compiler.Trigger(name='never_emptied', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'The audit log would not know which rows are gone: use DELETE.';", hash='670090c76b4f34b759caac635ea71ceef2acca99', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_never_emptied_3cf18', table='accessmap_policyadmits', when='BEFORE')),
        ),
        migrations.AddConstraint(
            model_name='policyalways',
            constraint=models.UniqueConstraint(fields=('policy', 'access_level'), name='one_always_a_level'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='policyalways',
            trigger=pgtrigger.compiler.Trigger(name='names_insert', sql=pgtrigger.compiler.UpsertTriggerSql(func='WITH changed AS (TABLE new_rows) INSERT INTO accessmap_mapchange (policy_id) SELECT DISTINCT changed.policy_id FROM changed; RETURN NULL;', hash='294f16cd544f284a34fdb2c434eda6fca011bc69', level='STATEMENT', operation='INSERT', pgid='pgtrigger_names_insert_c01b0', referencing='REFERENCING NEW TABLE AS new_rows ', table='accessmap_policyalways', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='policyalways',
            trigger=pgtrigger.compiler.Trigger(name='names_update', sql=pgtrigger.compiler.UpsertTriggerSql(func='WITH changed AS (TABLE old_rows UNION ALL TABLE new_rows) INSERT INTO accessmap_mapchange (policy_id) SELECT DISTINCT changed.policy_id FROM changed; RETURN NULL;', hash='d398108c74d62c5b108880ef6e7b4843582fba3a', level='STATEMENT', operation='UPDATE', pgid='pgtrigger_names_update_51099', referencing='REFERENCING OLD TABLE AS old_rows  NEW TABLE AS new_rows ', table='accessmap_policyalways', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='policyalways',
            trigger=pgtrigger.compiler.Trigger(name='names_delete', sql=pgtrigger.compiler.UpsertTriggerSql(func='WITH changed AS (TABLE old_rows) INSERT INTO accessmap_mapchange (policy_id) SELECT DISTINCT changed.policy_id FROM changed; RETURN NULL;', hash='b497eb793de600db94cc6f356d32ac9683ee5e37', level='STATEMENT', operation='DELETE', pgid='pgtrigger_names_delete_5227c', referencing='REFERENCING OLD TABLE AS old_rows ', table='accessmap_policyalways', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='policyalways',
            trigger=pgtrigger.compiler.Trigger(name='insert_insert', sql=pgtrigger.compiler.UpsertTriggerSql(func='INSERT INTO "accessmap_policyalwaysevent" ("access_level_id", "id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "policy_id") VALUES (NEW."access_level_id", NEW."id", _pgh_attach_context(), NOW(), \'insert\', NEW."id", NEW."policy_id"); RETURN NULL;', hash='7218544bd60bc64e62651a32f9b64c4f3e5b66c1', operation='INSERT', pgid='pgtrigger_insert_insert_4f5ac', table='accessmap_policyalways', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='policyalways',
            trigger=pgtrigger.compiler.Trigger(name='update_update', sql=pgtrigger.compiler.UpsertTriggerSql(condition='WHEN (OLD.* IS DISTINCT FROM NEW.*)', func='INSERT INTO "accessmap_policyalwaysevent" ("access_level_id", "id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "policy_id") VALUES (NEW."access_level_id", NEW."id", _pgh_attach_context(), NOW(), \'update\', NEW."id", NEW."policy_id"); RETURN NULL;', hash='1a137c059ce7de039839a23d8416068ee2c26fdf', operation='UPDATE', pgid='pgtrigger_update_update_86801', table='accessmap_policyalways', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='policyalways',
            trigger=pgtrigger.compiler.Trigger(name='delete_delete', sql=pgtrigger.compiler.UpsertTriggerSql(func='INSERT INTO "accessmap_policyalwaysevent" ("access_level_id", "id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "policy_id") VALUES (OLD."access_level_id", OLD."id", _pgh_attach_context(), NOW(), \'delete\', OLD."id", OLD."policy_id"); RETURN NULL;', hash='c95aae149f7e09694bf0fccc74ccb19d1cf25942', operation='DELETE', pgid='pgtrigger_delete_delete_7f4fd', table='accessmap_policyalways', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='policyalways',
            trigger=pgtrigger.compiler.Trigger(name='audited', sql=pgtrigger.compiler.UpsertTriggerSql(declare='DECLARE detail JSONB; kept RECORD;', func='\n            detail := jsonb_strip_nulls(jsonb_build_object(\'policy\', CASE WHEN OLD."policy_id" IS DISTINCT FROM NEW."policy_id" THEN jsonb_build_array((SELECT target.name FROM "accessmap_accesspolicy" target WHERE target."id" = OLD."policy_id"), (SELECT target.name FROM "accessmap_accesspolicy" target WHERE target."id" = NEW."policy_id")) END,\n\'access_level\', CASE WHEN OLD."access_level_id" IS DISTINCT FROM NEW."access_level_id" THEN jsonb_build_array((SELECT target.name FROM "accessmap_accesslevel" target WHERE target."id" = OLD."access_level_id"), (SELECT target.name FROM "accessmap_accesslevel" target WHERE target."id" = NEW."access_level_id")) END));\n            IF TG_OP = \'UPDATE\' AND detail = \'{}\' THEN\n                RETURN NULL;\n            ELSIF TG_OP = \'DELETE\' THEN\n                kept := OLD;\n            ELSE\n                kept := NEW;\n            END IF;\n            INSERT INTO audit_entry\n                (at, actor, action, object_type, object_id, object_label, outcome, reasons, detail)\n            VALUES (\n                clock_timestamp(), left(COALESCE(NULLIF(current_setting(\'pghistory.context_metadata\', true), \'\')::jsonb ->> \'actor\', (SELECT username FROM auth_user WHERE id = (NULLIF(current_setting(\'pghistory.context_metadata\', true), \'\')::jsonb ->> \'user\')::bigint), NULLIF(current_setting(\'portal.process\', true), \'\'), \'database:\' || session_user), 200),\n                \'accessmap.policyalways.\' || CASE TG_OP\n                    WHEN \'INSERT\' THEN \'added\' WHEN \'UPDATE\' THEN \'changed\' ELSE \'deleted\' END,\n                \'accessmap.PolicyAlways\', kept."id"::text, left(COALESCE((SELECT named.name FROM accessmap_accesspolicy named WHERE named.id = kept.policy_id) || \': \' || (SELECT named.name FROM accessmap_accesslevel named WHERE named.id = kept.access_level_id), \'\'), 300),\n                \'done\', \'[]\', detail\n            );\n            RETURN NULL;\n        ', hash='0fdb92eef236d6c55c1c43d505ae81deefad5a2e', operation='INSERT OR UPDATE OR DELETE', pgid='pgtrigger_audited_0db28', table='accessmap_policyalways', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='policyalways',
            trigger=pgtrigger.compiler.Trigger(name='never_emptied', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'The audit log would not know which rows are gone: use DELETE.';", hash='97ad16a649b54ba56e5b2c99f4449d01c8022d46', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_never_emptied_f9fb1', table='accessmap_policyalways', when='BEFORE')),
        ),
        migrations.AddConstraint(
            model_name='accesspolicy',
            constraint=models.CheckConstraint(condition=models.Q(('lead_minutes__lte', 1440), ('grace_minutes__lte', 1440)), name='lead_and_grace_within_a_day'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='accesspolicy',
            trigger=pgtrigger.compiler.Trigger(name='names_insert', sql=pgtrigger.compiler.UpsertTriggerSql(func='WITH changed AS (TABLE new_rows) INSERT INTO accessmap_mapchange (policy_id) SELECT DISTINCT changed.id FROM changed; RETURN NULL;', hash='c1367cb242bfa0b0f2ad5ddbedc40411382a1835', level='STATEMENT', operation='INSERT', pgid='pgtrigger_names_insert_a7e52', referencing='REFERENCING NEW TABLE AS new_rows ', table='accessmap_accesspolicy', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='accesspolicy',
            trigger=pgtrigger.compiler.Trigger(name='names_update', sql=pgtrigger.compiler.UpsertTriggerSql(func='WITH changed AS (TABLE old_rows UNION ALL TABLE new_rows) INSERT INTO accessmap_mapchange (policy_id) SELECT DISTINCT changed.id FROM changed; RETURN NULL;', hash='83a73f6c0aad42251fcc983ec26515762e42b187', level='STATEMENT', operation='UPDATE', pgid='pgtrigger_names_update_1f5ab', referencing='REFERENCING OLD TABLE AS old_rows  NEW TABLE AS new_rows ', table='accessmap_accesspolicy', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='accesspolicy',
            trigger=pgtrigger.compiler.Trigger(name='names_delete', sql=pgtrigger.compiler.UpsertTriggerSql(func='WITH changed AS (TABLE old_rows) INSERT INTO accessmap_mapchange (policy_id) SELECT DISTINCT changed.id FROM changed; RETURN NULL;', hash='812d4d223b366182e94ad4b0086113897a531fd9', level='STATEMENT', operation='DELETE', pgid='pgtrigger_names_delete_cc199', referencing='REFERENCING OLD TABLE AS old_rows ', table='accessmap_accesspolicy', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='accesspolicy',
            trigger=pgtrigger.compiler.Trigger(name='insert_insert', sql=pgtrigger.compiler.UpsertTriggerSql(func='INSERT INTO "accessmap_accesspolicyevent" ("admit_anyone", "admit_attendees", "admit_organizer", "grace_minutes", "id", "lead_minutes", "name", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "statuses") VALUES (NEW."admit_anyone", NEW."admit_attendees", NEW."admit_organizer", NEW."grace_minutes", NEW."id", NEW."lead_minutes", NEW."name", _pgh_attach_context(), NOW(), \'insert\', NEW."id", NEW."statuses"); RETURN NULL;', hash='60e0ad9c7e2493e3e1a261ff488004555ecfbc1e', operation='INSERT', pgid='pgtrigger_insert_insert_b5338', table='accessmap_accesspolicy', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='accesspolicy',
            trigger=pgtrigger.compiler.Trigger(name='update_update', sql=pgtrigger.compiler.UpsertTriggerSql(condition='WHEN (OLD.* IS DISTINCT FROM NEW.*)', func='INSERT INTO "accessmap_accesspolicyevent" ("admit_anyone", "admit_attendees", "admit_organizer", "grace_minutes", "id", "lead_minutes", "name", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "statuses") VALUES (NEW."admit_anyone", NEW."admit_attendees", NEW."admit_organizer", NEW."grace_minutes", NEW."id", NEW."lead_minutes", NEW."name", _pgh_attach_context(), NOW(), \'update\', NEW."id", NEW."statuses"); RETURN NULL;', hash='ba1bbb80ee564e642a256fe27d46fbd96f443824', operation='UPDATE', pgid='pgtrigger_update_update_1efea', table='accessmap_accesspolicy', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='accesspolicy',
            trigger=pgtrigger.compiler.Trigger(name='delete_delete', sql=pgtrigger.compiler.UpsertTriggerSql(func='INSERT INTO "accessmap_accesspolicyevent" ("admit_anyone", "admit_attendees", "admit_organizer", "grace_minutes", "id", "lead_minutes", "name", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "statuses") VALUES (OLD."admit_anyone", OLD."admit_attendees", OLD."admit_organizer", OLD."grace_minutes", OLD."id", OLD."lead_minutes", OLD."name", _pgh_attach_context(), NOW(), \'delete\', OLD."id", OLD."statuses"); RETURN NULL;', hash='d6c796faf061f0a7cc31e6444e8900a1803f4d23', operation='DELETE', pgid='pgtrigger_delete_delete_4d1ba', table='accessmap_accesspolicy', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='accesspolicy',
            trigger=pgtrigger.compiler.Trigger(name='audited', sql=pgtrigger.compiler.UpsertTriggerSql(declare='DECLARE detail JSONB; kept RECORD;', func='\n            detail := jsonb_strip_nulls(jsonb_build_object(\'name\', CASE WHEN OLD."name" IS DISTINCT FROM NEW."name" THEN jsonb_build_array(OLD."name", NEW."name") END,\n\'admit_organizer\', CASE WHEN OLD."admit_organizer" IS DISTINCT FROM NEW."admit_organizer" THEN jsonb_build_array(OLD."admit_organizer", NEW."admit_organizer") END,\n\'admit_attendees\', CASE WHEN OLD."admit_attendees" IS DISTINCT FROM NEW."admit_attendees" THEN jsonb_build_array(OLD."admit_attendees", NEW."admit_attendees") END,\n\'admit_anyone\', CASE WHEN OLD."admit_anyone" IS DISTINCT FROM NEW."admit_anyone" THEN jsonb_build_array(OLD."admit_anyone", NEW."admit_anyone") END,\n\'statuses\', CASE WHEN OLD."statuses" IS DISTINCT FROM NEW."statuses" THEN jsonb_build_array(OLD."statuses", NEW."statuses") END,\n\'lead_minutes\', CASE WHEN OLD."lead_minutes" IS DISTINCT FROM NEW."lead_minutes" THEN jsonb_build_array(OLD."lead_minutes", NEW."lead_minutes") END,\n\'grace_minutes\', CASE WHEN OLD."grace_minutes" IS DISTINCT FROM NEW."grace_minutes" THEN jsonb_build_array(OLD."grace_minutes", NEW."grace_minutes") END));\n            IF TG_OP = \'UPDATE\' AND detail = \'{}\' THEN\n                RETURN NULL;\n            ELSIF TG_OP = \'DELETE\' THEN\n                kept := OLD;\n            ELSE\n                kept := NEW;\n            END IF;\n            INSERT INTO audit_entry\n                (at, actor, action, object_type, object_id, object_label, outcome, reasons, detail)\n            VALUES (\n                clock_timestamp(), left(COALESCE(NULLIF(current_setting(\'pghistory.context_metadata\', true), \'\')::jsonb ->> \'actor\', (SELECT username FROM auth_user WHERE id = (NULLIF(current_setting(\'pghistory.context_metadata\', true), \'\')::jsonb ->> \'user\')::bigint), NULLIF(current_setting(\'portal.process\', true), \'\'), \'database:\' || session_user), 200),\n                \'accessmap.accesspolicy.\' || CASE TG_OP\n                    WHEN \'INSERT\' THEN \'added\' WHEN \'UPDATE\' THEN \'changed\' ELSE \'deleted\' END,\n                \'accessmap.AccessPolicy\', kept."id"::text, left(COALESCE(kept.name, \'\'), 300),\n                \'done\', \'[]\', detail\n            );\n            RETURN NULL;\n        ', hash='502a35d84f837503ca122d9109a1233dcf387081', operation='INSERT OR UPDATE OR DELETE', pgid='pgtrigger_audited_075d6', table='accessmap_accesspolicy', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='accesspolicy',
            trigger=pgtrigger.compiler.Trigger(name='never_emptied', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'The audit log would not know which rows are gone: use DELETE.';", hash='4cd3f23224a6a255b1731b1e27891ee2c2ca5890', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_never_emptied_19a9b', table='accessmap_accesspolicy', when='BEFORE')),
        ),
        migrations.AddConstraint(
            model_name='resourcedoor',
            constraint=models.UniqueConstraint(fields=('resource', 'door'), name='one_link_a_door'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='resourcedoor',
            trigger=pgtrigger.compiler.Trigger(name='names_insert', sql=pgtrigger.compiler.UpsertTriggerSql(func='WITH changed AS (TABLE new_rows) INSERT INTO accessmap_mapchange (resource_id, controller_id) SELECT DISTINCT changed.resource_id, door.controller_id FROM changed LEFT JOIN accessmap_door door ON door.id = changed.door_id; RETURN NULL;', hash='f73aefe1938cb7b4a8afa6be1af8e55488f0168e', level='STATEMENT', operation='INSERT', pgid='pgtrigger_names_insert_fbf44', referencing='REFERENCING NEW TABLE AS new_rows ', table='accessmap_resourcedoor', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='resourcedoor',
            trigger=pgtrigger.compiler.Trigger(name='names_update', sql=pgtrigger.compiler.UpsertTriggerSql(func='WITH changed AS (TABLE old_rows UNION ALL TABLE new_rows) INSERT INTO accessmap_mapchange (resource_id, controller_id) SELECT DISTINCT changed.resource_id, door.controller_id FROM changed LEFT JOIN accessmap_door door ON door.id = changed.door_id; RETURN NULL;', hash='7e0aada4e28fb772b45ebfad67bbcd903b88581a', level='STATEMENT', operation='UPDATE', pgid='pgtrigger_names_update_cea51', referencing='REFERENCING OLD TABLE AS old_rows  NEW TABLE AS new_rows ', table='accessmap_resourcedoor', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='resourcedoor',
            trigger=pgtrigger.compiler.Trigger(name='names_delete', sql=pgtrigger.compiler.UpsertTriggerSql(func='WITH changed AS (TABLE old_rows) INSERT INTO accessmap_mapchange (resource_id, controller_id) SELECT DISTINCT changed.resource_id, door.controller_id FROM changed LEFT JOIN accessmap_door door ON door.id = changed.door_id; RETURN NULL;', hash='57d077483ad849c484cba5cb622f2dc763868681', level='STATEMENT', operation='DELETE', pgid='pgtrigger_names_delete_ec9c7', referencing='REFERENCING OLD TABLE AS old_rows ', table='accessmap_resourcedoor', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='resourcedoor',
            trigger=pgtrigger.compiler.Trigger(name='insert_insert', sql=pgtrigger.compiler.UpsertTriggerSql(func='INSERT INTO "accessmap_resourcedoorevent" ("door_id", "id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "resource_id") VALUES (NEW."door_id", NEW."id", _pgh_attach_context(), NOW(), \'insert\', NEW."id", NEW."resource_id"); RETURN NULL;', hash='4c79b8986cb06f1082fd24d8c7fcf3ebfa6b3a32', operation='INSERT', pgid='pgtrigger_insert_insert_6d6a2', table='accessmap_resourcedoor', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='resourcedoor',
            trigger=pgtrigger.compiler.Trigger(name='update_update', sql=pgtrigger.compiler.UpsertTriggerSql(condition='WHEN (OLD.* IS DISTINCT FROM NEW.*)', func='INSERT INTO "accessmap_resourcedoorevent" ("door_id", "id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "resource_id") VALUES (NEW."door_id", NEW."id", _pgh_attach_context(), NOW(), \'update\', NEW."id", NEW."resource_id"); RETURN NULL;', hash='46fee8fe78c88b00330585f78809233f5afbd13b', operation='UPDATE', pgid='pgtrigger_update_update_88b03', table='accessmap_resourcedoor', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='resourcedoor',
            trigger=pgtrigger.compiler.Trigger(name='delete_delete', sql=pgtrigger.compiler.UpsertTriggerSql(func='INSERT INTO "accessmap_resourcedoorevent" ("door_id", "id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "resource_id") VALUES (OLD."door_id", OLD."id", _pgh_attach_context(), NOW(), \'delete\', OLD."id", OLD."resource_id"); RETURN NULL;', hash='953f8bf607b73955800a70802673f71d6380b177', operation='DELETE', pgid='pgtrigger_delete_delete_983bc', table='accessmap_resourcedoor', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='resourcedoor',
            trigger=pgtrigger.compiler.Trigger(name='audited', sql=pgtrigger.compiler.UpsertTriggerSql(declare='DECLARE detail JSONB; kept RECORD;', func='\n            detail := jsonb_strip_nulls(jsonb_build_object(\'resource\', CASE WHEN OLD."resource_id" IS DISTINCT FROM NEW."resource_id" THEN jsonb_build_array((SELECT target.name FROM "accessmap_resource" target WHERE target."id" = OLD."resource_id"), (SELECT target.name FROM "accessmap_resource" target WHERE target."id" = NEW."resource_id")) END,\n\'door\', CASE WHEN OLD."door_id" IS DISTINCT FROM NEW."door_id" THEN jsonb_build_array((SELECT COALESCE((SELECT named.name FROM accessmap_controller named WHERE named.id = target.controller_id) || \': \', \'\') || target.name FROM "accessmap_door" target WHERE target."id" = OLD."door_id"), (SELECT COALESCE((SELECT named.name FROM accessmap_controller named WHERE named.id = target.controller_id) || \': \', \'\') || target.name FROM "accessmap_door" target WHERE target."id" = NEW."door_id")) END));\n            IF TG_OP = \'UPDATE\' AND detail = \'{}\' THEN\n                RETURN NULL;\n            ELSIF TG_OP = \'DELETE\' THEN\n                kept := OLD;\n            ELSE\n                kept := NEW;\n            END IF;\n            INSERT INTO audit_entry\n                (at, actor, action, object_type, object_id, object_label, outcome, reasons, detail)\n            VALUES (\n                clock_timestamp(), left(COALESCE(NULLIF(current_setting(\'pghistory.context_metadata\', true), \'\')::jsonb ->> \'actor\', (SELECT username FROM auth_user WHERE id = (NULLIF(current_setting(\'pghistory.context_metadata\', true), \'\')::jsonb ->> \'user\')::bigint), NULLIF(current_setting(\'portal.process\', true), \'\'), \'database:\' || session_user), 200),\n                \'accessmap.resourcedoor.\' || CASE TG_OP\n                    WHEN \'INSERT\' THEN \'added\' WHEN \'UPDATE\' THEN \'changed\' ELSE \'deleted\' END,\n                \'accessmap.ResourceDoor\', kept."id"::text, left(COALESCE((SELECT named.name FROM accessmap_resource named WHERE named.id = kept.resource_id) || \': \' || (SELECT named.name FROM accessmap_door named WHERE named.id = kept.door_id), \'\'), 300),\n                \'done\', \'[]\', detail\n            );\n            RETURN NULL;\n        ', hash='a5ae4e199b912062b1b36b7a98f7c87e61f8f277', operation='INSERT OR UPDATE OR DELETE', pgid='pgtrigger_audited_8f0a5', table='accessmap_resourcedoor', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='resourcedoor',
            trigger=pgtrigger.compiler.Trigger(name='never_emptied', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'The audit log would not know which rows are gone: use DELETE.';", hash='e693c80a283a00ddcd50eab29acb312ef51b4bad', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_never_emptied_b026b', table='accessmap_resourcedoor', when='BEFORE')),
        ),
        migrations.AddConstraint(
            model_name='resource',
            constraint=models.CheckConstraint(condition=models.Q(('external_id', ''), _negated=True), name='resource_has_an_id'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='resource',
            trigger=pgtrigger.compiler.Trigger(name='names_insert', sql=pgtrigger.compiler.UpsertTriggerSql(func='WITH changed AS (TABLE new_rows) INSERT INTO accessmap_mapchange (resource_id) SELECT DISTINCT changed.id FROM changed; RETURN NULL;', hash='925bc8396ccb010712460a65941d7e2431f0011d', level='STATEMENT', operation='INSERT', pgid='pgtrigger_names_insert_72f65', referencing='REFERENCING NEW TABLE AS new_rows ', table='accessmap_resource', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='resource',
            trigger=pgtrigger.compiler.Trigger(name='names_update', sql=pgtrigger.compiler.UpsertTriggerSql(func='WITH changed AS (TABLE old_rows UNION ALL TABLE new_rows) INSERT INTO accessmap_mapchange (resource_id) SELECT DISTINCT changed.id FROM changed; RETURN NULL;', hash='f19b1569e9b5213bd537b7b5b0e6a7d7eabb99a0', level='STATEMENT', operation='UPDATE', pgid='pgtrigger_names_update_76d9e', referencing='REFERENCING OLD TABLE AS old_rows  NEW TABLE AS new_rows ', table='accessmap_resource', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='resource',
            trigger=pgtrigger.compiler.Trigger(name='names_delete', sql=pgtrigger.compiler.UpsertTriggerSql(func='WITH changed AS (TABLE old_rows) INSERT INTO accessmap_mapchange (resource_id) SELECT DISTINCT changed.id FROM changed; RETURN NULL;', hash='92eee5b8140558e6f97043e6fde070e971f97b07', level='STATEMENT', operation='DELETE', pgid='pgtrigger_names_delete_eb182', referencing='REFERENCING OLD TABLE AS old_rows ', table='accessmap_resource', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='resource',
            trigger=pgtrigger.compiler.Trigger(name='insert_insert', sql=pgtrigger.compiler.UpsertTriggerSql(func='INSERT INTO "accessmap_resourceevent" ("external_id", "id", "name", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "policy_id", "site_id") VALUES (NEW."external_id", NEW."id", NEW."name", _pgh_attach_context(), NOW(), \'insert\', NEW."id", NEW."policy_id", NEW."site_id"); RETURN NULL;', hash='df70872a1a6a179f4c4db76dbe2e5b8b013b26a6', operation='INSERT', pgid='pgtrigger_insert_insert_c9673', table='accessmap_resource', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='resource',
            trigger=pgtrigger.compiler.Trigger(name='update_update', sql=pgtrigger.compiler.UpsertTriggerSql(condition='WHEN (OLD.* IS DISTINCT FROM NEW.*)', func='INSERT INTO "accessmap_resourceevent" ("external_id", "id", "name", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "policy_id", "site_id") VALUES (NEW."external_id", NEW."id", NEW."name", _pgh_attach_context(), NOW(), \'update\', NEW."id", NEW."policy_id", NEW."site_id"); RETURN NULL;', hash='f2a9515c274c9595bc6c1597e3a97ec11fdcc037', operation='UPDATE', pgid='pgtrigger_update_update_02170', table='accessmap_resource', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='resource',
            trigger=pgtrigger.compiler.Trigger(name='delete_delete', sql=pgtrigger.compiler.UpsertTriggerSql(func='INSERT INTO "accessmap_resourceevent" ("external_id", "id", "name", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "policy_id", "site_id") VALUES (OLD."external_id", OLD."id", OLD."name", _pgh_attach_context(), NOW(), \'delete\', OLD."id", OLD."policy_id", OLD."site_id"); RETURN NULL;', hash='b52b62478c4b3717e8fa5412831ba085eb109d4f', operation='DELETE', pgid='pgtrigger_delete_delete_155ab', table='accessmap_resource', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='resource',
            trigger=pgtrigger.compiler.Trigger(name='audited', sql=pgtrigger.compiler.UpsertTriggerSql(declare='DECLARE detail JSONB; kept RECORD;', func='\n            detail := jsonb_strip_nulls(jsonb_build_object(\'site\', CASE WHEN OLD."site_id" IS DISTINCT FROM NEW."site_id" THEN jsonb_build_array((SELECT target.name FROM "accessmap_site" target WHERE target."id" = OLD."site_id"), (SELECT target.name FROM "accessmap_site" target WHERE target."id" = NEW."site_id")) END,\n\'external_id\', CASE WHEN OLD."external_id" IS DISTINCT FROM NEW."external_id" THEN jsonb_build_array(OLD."external_id", NEW."external_id") END,\n\'name\', CASE WHEN OLD."name" IS DISTINCT FROM NEW."name" THEN jsonb_build_array(OLD."name", NEW."name") END,\n\'policy\', CASE WHEN OLD."policy_id" IS DISTINCT FROM NEW."policy_id" THEN jsonb_build_array((SELECT target.name FROM "accessmap_accesspolicy" target WHERE target."id" = OLD."policy_id"), (SELECT target.name FROM "accessmap_accesspolicy" target WHERE target."id" = NEW."policy_id")) END));\n            IF TG_OP = \'UPDATE\' AND detail = \'{}\' THEN\n                RETURN NULL;\n            ELSIF TG_OP = \'DELETE\' THEN\n                kept := OLD;\n            ELSE\n                kept := NEW;\n            END IF;\n            INSERT INTO audit_entry\n                (at, actor, action, object_type, object_id, object_label, outcome, reasons, detail)\n            VALUES (\n                clock_timestamp(), left(COALESCE(NULLIF(current_setting(\'pghistory.context_metadata\', true), \'\')::jsonb ->> \'actor\', (SELECT username FROM auth_user WHERE id = (NULLIF(current_setting(\'pghistory.context_metadata\', true), \'\')::jsonb ->> \'user\')::bigint), NULLIF(current_setting(\'portal.process\', true), \'\'), \'database:\' || session_user), 200),\n                \'accessmap.resource.\' || CASE TG_OP\n                    WHEN \'INSERT\' THEN \'added\' WHEN \'UPDATE\' THEN \'changed\' ELSE \'deleted\' END,\n                \'accessmap.Resource\', kept."id"::text, left(COALESCE(kept.name, \'\'), 300),\n                \'done\', \'[]\', detail\n            );\n            RETURN NULL;\n        ', hash='7d488908da10a5c258af7234d23605509f3689d5', operation='INSERT OR UPDATE OR DELETE', pgid='pgtrigger_audited_e147a', table='accessmap_resource', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='resource',
            trigger=pgtrigger.compiler.Trigger(name='never_emptied', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'The audit log would not know which rows are gone: use DELETE.';", hash='8dadcad0dd8db727b68a91bce37b0320c0dae7a6', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_never_emptied_3daf1', table='accessmap_resource', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='controller',
            trigger=pgtrigger.compiler.Trigger(name='names_insert', sql=pgtrigger.compiler.UpsertTriggerSql(func='WITH changed AS (TABLE new_rows) INSERT INTO accessmap_mapchange (controller_id) SELECT DISTINCT changed.id FROM changed; RETURN NULL;', hash='247d73523902b16bee0799b5c83882f2bbeae519', level='STATEMENT', operation='INSERT', pgid='pgtrigger_names_insert_dcbc0', referencing='REFERENCING NEW TABLE AS new_rows ', table='accessmap_controller', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='controller',
            trigger=pgtrigger.compiler.Trigger(name='names_update', sql=pgtrigger.compiler.UpsertTriggerSql(func='WITH changed AS (TABLE old_rows UNION ALL TABLE new_rows) INSERT INTO accessmap_mapchange (controller_id) SELECT DISTINCT changed.id FROM changed; RETURN NULL;', hash='07cd693ecc851ee389a0d8fd7b455f8df9dc0eaf', level='STATEMENT', operation='UPDATE', pgid='pgtrigger_names_update_b8d30', referencing='REFERENCING OLD TABLE AS old_rows  NEW TABLE AS new_rows ', table='accessmap_controller', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='controller',
            trigger=pgtrigger.compiler.Trigger(name='names_delete', sql=pgtrigger.compiler.UpsertTriggerSql(func='WITH changed AS (TABLE old_rows) INSERT INTO accessmap_mapchange (controller_id) SELECT DISTINCT changed.id FROM changed; RETURN NULL;', hash='ea197098dd6faa138c7cceced0096b191b6a629b', level='STATEMENT', operation='DELETE', pgid='pgtrigger_names_delete_a768c', referencing='REFERENCING OLD TABLE AS old_rows ', table='accessmap_controller', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='controller',
            trigger=pgtrigger.compiler.Trigger(name='insert_insert', sql=pgtrigger.compiler.UpsertTriggerSql(func='INSERT INTO "accessmap_controllerevent" ("driver", "enabled", "id", "name", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "site_id") VALUES (NEW."driver", NEW."enabled", NEW."id", NEW."name", _pgh_attach_context(), NOW(), \'insert\', NEW."id", NEW."site_id"); RETURN NULL;', hash='2fa4d6b04e32c131a7eaee03aae870167a608b7c', operation='INSERT', pgid='pgtrigger_insert_insert_c7f36', table='accessmap_controller', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='controller',
            trigger=pgtrigger.compiler.Trigger(name='update_update', sql=pgtrigger.compiler.UpsertTriggerSql(condition='WHEN (OLD."driver" IS DISTINCT FROM (NEW."driver") OR OLD."enabled" IS DISTINCT FROM (NEW."enabled") OR OLD."id" IS DISTINCT FROM (NEW."id") OR OLD."name" IS DISTINCT FROM (NEW."name") OR OLD."site_id" IS DISTINCT FROM (NEW."site_id"))', func='INSERT INTO "accessmap_controllerevent" ("driver", "enabled", "id", "name", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "site_id") VALUES (NEW."driver", NEW."enabled", NEW."id", NEW."name", _pgh_attach_context(), NOW(), \'update\', NEW."id", NEW."site_id"); RETURN NULL;', hash='a761da86a64f8c508bf03cd40d1e9b670bb95c7f', operation='UPDATE', pgid='pgtrigger_update_update_ab5dc', table='accessmap_controller', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='controller',
            trigger=pgtrigger.compiler.Trigger(name='delete_delete', sql=pgtrigger.compiler.UpsertTriggerSql(func='INSERT INTO "accessmap_controllerevent" ("driver", "enabled", "id", "name", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "site_id") VALUES (OLD."driver", OLD."enabled", OLD."id", OLD."name", _pgh_attach_context(), NOW(), \'delete\', OLD."id", OLD."site_id"); RETURN NULL;', hash='e8fbd42cf85d83294820db88c1f075332df039be', operation='DELETE', pgid='pgtrigger_delete_delete_f2948', table='accessmap_controller', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='controller',
            trigger=pgtrigger.compiler.Trigger(name='audited', sql=pgtrigger.compiler.UpsertTriggerSql(declare='DECLARE detail JSONB; kept RECORD;', func='\n            detail := jsonb_strip_nulls(jsonb_build_object(\'site\', CASE WHEN OLD."site_id" IS DISTINCT FROM NEW."site_id" THEN jsonb_build_array((SELECT target.name FROM "accessmap_site" target WHERE target."id" = OLD."site_id"), (SELECT target.name FROM "accessmap_site" target WHERE target."id" = NEW."site_id")) END,\n\'name\', CASE WHEN OLD."name" IS DISTINCT FROM NEW."name" THEN jsonb_build_array(OLD."name", NEW."name") END,\n\'driver\', CASE WHEN OLD."driver" IS DISTINCT FROM NEW."driver" THEN jsonb_build_array(OLD."driver", NEW."driver") END,\n\'options\', CASE WHEN OLD."options" IS DISTINCT FROM NEW."options" THEN to_jsonb(\'changed\'::text) END,\n\'secrets\', CASE WHEN OLD."secrets" IS DISTINCT FROM NEW."secrets" THEN to_jsonb(\'written\'::text) END,\n\'enabled\', CASE WHEN OLD."enabled" IS DISTINCT FROM NEW."enabled" THEN jsonb_build_array(OLD."enabled", NEW."enabled") END));\n            IF TG_OP = \'UPDATE\' AND detail = \'{}\' THEN\n                RETURN NULL;\n            ELSIF TG_OP = \'DELETE\' THEN\n                kept := OLD;\n            ELSE\n                kept := NEW;\n            END IF;\n            INSERT INTO audit_entry\n                (at, actor, action, object_type, object_id, object_label, outcome, reasons, detail)\n            VALUES (\n                clock_timestamp(), left(COALESCE(NULLIF(current_setting(\'pghistory.context_metadata\', true), \'\')::jsonb ->> \'actor\', (SELECT username FROM auth_user WHERE id = (NULLIF(current_setting(\'pghistory.context_metadata\', true), \'\')::jsonb ->> \'user\')::bigint), NULLIF(current_setting(\'portal.process\', true), \'\'), \'database:\' || session_user), 200),\n                \'accessmap.controller.\' || CASE TG_OP\n                    WHEN \'INSERT\' THEN \'added\' WHEN \'UPDATE\' THEN \'changed\' ELSE \'deleted\' END,\n                \'accessmap.Controller\', kept."id"::text, left(COALESCE(kept.name, \'\'), 300),\n                \'done\', \'[]\', detail\n            );\n            RETURN NULL;\n        ', hash='7d33fb26b5712b7eceffa1d51661f6e28f03a308', operation='INSERT OR UPDATE OR DELETE', pgid='pgtrigger_audited_b2761', table='accessmap_controller', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='controller',
            trigger=pgtrigger.compiler.Trigger(name='never_emptied', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'The audit log would not know which rows are gone: use DELETE.';", hash='28237a9be82fea2fbb504d3674f9a10db20749af', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_never_emptied_da097', table='accessmap_controller', when='BEFORE')),
        ),
    ]
