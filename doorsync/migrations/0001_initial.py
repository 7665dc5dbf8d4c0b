import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
import doorsync.models.notices
import encrypted_fields.fields
import pgtrigger.compiler
import pgtrigger.migrations
import portal.core.clock
import portal.core.problems
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('accessmap', '0001_initial'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Reconciliation',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('generation', models.BigIntegerField(verbose_name='generation')),
                ('started_at', models.DateTimeField(verbose_name='started')),
                ('finished_at', models.DateTimeField(db_index=True, verbose_name='finished')),
                ('unchanged', models.PositiveIntegerField(default=0, verbose_name='unchanged')),
                ('added', models.PositiveIntegerField(default=0, verbose_name='added')),
                ('updated', models.PositiveIntegerField(default=0, verbose_name='updated')),
                ('removed', models.PositiveIntegerField(default=0, verbose_name='removed')),
                ('failed', models.PositiveIntegerField(default=0, verbose_name='failed')),
                ('unconfirmed', models.PositiveIntegerField(default=0, verbose_name='unconfirmed')),
                ('unmanaged', models.PositiveIntegerField(default=0, verbose_name='unmanaged')),
                ('pending', models.PositiveIntegerField(default=0, verbose_name='pending approval')),
                ('last_error', portal.core.problems.ProblemsField(verbose_name='last error')),
            ],
            options={
                'verbose_name': 'reconciliation',
                'verbose_name_plural': 'reconciliations',
                'ordering': ['-id'],
            },
        ),
        migrations.CreateModel(
            name='RejectedBooking',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('record_id', models.CharField(blank=True, max_length=200, verbose_name='id in Offision')),
                ('reason', portal.core.problems.ProblemsField(verbose_name='reason')),
                ('raw', models.TextField(verbose_name='as received')),
                ('seen_at', models.DateTimeField(verbose_name='seen')),
            ],
            options={
                'verbose_name': 'rejected booking',
                'verbose_name_plural': 'rejected bookings',
                'ordering': ['-seen_at'],
            },
        ),
        migrations.CreateModel(
            name='ResourceSync',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('generation', models.BigIntegerField(default=1, verbose_name='generation')),
                ('observed_generation', models.BigIntegerField(default=0, verbose_name='observed generation')),
                ('lease_token', models.UUIDField(editable=False, null=True)),
                ('leased_generation', models.BigIntegerField(default=0, editable=False, help_text='The generation when it was leased.')),
                ('leased_until', models.DateTimeField(editable=False, help_text='A worker that has not finished by then counts as dead.', null=True)),
                ('next_attempt_at', models.DateTimeField(editable=False, null=True, verbose_name='next attempt')),
                ('enqueued_at', models.DateTimeField(editable=False, null=True)),
                ('failures', models.PositiveIntegerField(default=0, verbose_name='failures in a row')),
                ('last_error', portal.core.problems.ProblemsField(verbose_name='last error')),
                ('created_at', models.DateTimeField(default=portal.core.clock.now, editable=False, verbose_name='known since')),
                ('started_at', models.DateTimeField(null=True, verbose_name='last started')),
                ('succeeded_at', models.DateTimeField(null=True, verbose_name='last OK')),
                ('cause', models.CharField(blank=True, max_length=20, verbose_name='cause')),
                ('pending_reason', portal.core.problems.ProblemsField(verbose_name='pending approval')),
                ('pending_ids', models.JSONField(default=list, editable=False, help_text='The bookings that the pending list leaves out.')),
                ('accepted_ids', models.JSONField(default=list, editable=False, help_text='Bookings that staff accepted as missing.')),
                ('fetched_as', models.CharField(blank=True, editable=False, help_text='The id under which the stored bookings were fetched.', max_length=200)),
            ],
            options={
                'verbose_name': 'resource state',
                'verbose_name_plural': 'resource states',
                'ordering': ['resource__name'],
                'permissions': [('approve_resourcesync', 'Can accept a pending booking list')],
            },
        ),
        migrations.CreateModel(
            name='SchedulerState',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('ticked_at', models.DateTimeField(null=True, verbose_name='last tick')),
                ('full_resync_requested_at', models.DateTimeField(null=True, verbose_name='full resync requested')),
                ('full_resync_at', models.DateTimeField(null=True, verbose_name='last full resync')),
                ('late_since', models.DateTimeField(null=True, verbose_name='late since')),
                ('subscription_checked_at', models.DateTimeField(null=True, verbose_name='subscription checked')),
                ('subscribed_at', models.DateTimeField(null=True, verbose_name='subscription last OK')),
                ('subscription_error', portal.core.problems.ProblemsField(verbose_name='subscription error')),
                ('offision_error', portal.core.problems.ProblemsField(verbose_name='Offision error')),
            ],
            options={
                'verbose_name': 'scheduler state',
                'verbose_name_plural': 'scheduler state',
            },
        ),
        migrations.CreateModel(
            name='StoredBooking',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('external_id', models.CharField(max_length=200, verbose_name='id in Offision')),
                ('title', models.CharField(blank=True, max_length=300, verbose_name='title')),
                ('starts_at', models.DateTimeField(verbose_name='start')),
                ('ends_at', models.DateTimeField(verbose_name='end')),
                ('status', models.CharField(choices=[('confirmed', 'confirmed'), ('checked_in', 'checked in'), ('checked_out', 'checked out'), ('tentative', 'tentative'), ('cancelled', 'cancelled'), ('no_show', 'no-show'), ('unknown', 'unknown')], max_length=20, verbose_name='status')),
                ('organizer_email', models.CharField(blank=True, max_length=320, verbose_name='organizer')),
                ('organizer_name', models.CharField(blank=True, max_length=300, verbose_name="organizer's name")),
                ('attendee_emails', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(blank=True, max_length=320), size=None, verbose_name='attendees')),
                ('fetched_at', models.DateTimeField(verbose_name='fetched')),
            ],
            options={
                'verbose_name': 'booking',
                'verbose_name_plural': 'bookings',
                'ordering': ['starts_at'],
            },
        ),
        migrations.CreateModel(
            name='UnlockRequest',
            fields=[
                ('key', models.UUIDField(primary_key=True, serialize=False)),
                ('at', models.DateTimeField(db_index=True, default=portal.core.clock.now)),
            ],
        ),
        migrations.CreateModel(
            name='UnmanagedCard',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.CharField(max_length=200, verbose_name='card')),
                ('held', models.JSONField(default=dict, verbose_name='held')),
                ('wanted', models.BooleanField(help_text="Bookings admit this card, but the entry is not the portal's.", verbose_name='wanted by bookings')),
                ('first_seen_at', models.DateTimeField(verbose_name='first seen')),
            ],
            options={
                'verbose_name': 'unmanaged card',
                'verbose_name_plural': 'unmanaged cards',
                'ordering': ['controller_id', 'number'],
                'permissions': [('approve_unmanagedcard', 'Can adopt an entry that the portal did not write')],
            },
        ),
        migrations.CreateModel(
            name='UnmappedResource',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('external_id', models.CharField(max_length=200, unique=True, verbose_name='id in Offision')),
                ('name', models.CharField(blank=True, max_length=300, verbose_name='name')),
                ('first_seen_at', models.DateTimeField(default=portal.core.clock.now, verbose_name='first seen')),
                ('last_seen_at', models.DateTimeField(default=portal.core.clock.now, verbose_name='last seen')),
            ],
            options={
                'verbose_name': 'unmapped resource',
                'verbose_name_plural': 'unmapped resources',
                'ordering': ['-last_seen_at'],
            },
        ),
        migrations.CreateModel(
            name='BookingFetch',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('generation', models.BigIntegerField(verbose_name='generation')),
                ('cause', models.CharField(max_length=20, verbose_name='cause')),
                ('started_at', models.DateTimeField(db_index=True, verbose_name='started')),
                ('finished_at', models.DateTimeField(verbose_name='finished')),
                ('outcome', models.CharField(choices=[('changed', 'changed'), ('unchanged', 'unchanged'), ('pending', 'pending approval'), ('failed', 'failed')], max_length=20, verbose_name='outcome')),
                ('requests', models.PositiveIntegerField(default=0, verbose_name='requests to Offision')),
                ('vanished', models.PositiveIntegerField(default=0, help_text='Left out, or with a status that the contract does not list.', verbose_name='bookings vanished')),
                ('problems', portal.core.problems.ProblemsField(verbose_name='problems')),
                ('confirmed_at', models.DateTimeField(null=True, verbose_name='confirmed at the doors')),
                ('resource', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='fetches', to='accessmap.resource', verbose_name='resource')),
            ],
            options={
                'verbose_name': 'fetch of bookings',
                'verbose_name_plural': 'fetches of bookings',
                'ordering': ['-id'],
            },
        ),
        migrations.CreateModel(
            name='Callback',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('received_at', models.DateTimeField(default=portal.core.clock.now, verbose_name='received')),
                ('remote_address', models.GenericIPAddressField(null=True, verbose_name='from')),
                ('content_type', models.CharField(blank=True, max_length=200, verbose_name='content type')),
                ('body', models.BinaryField(verbose_name='body')),
                ('outcome', models.CharField(choices=[('enqueued', 'fetch enqueued'), ('unknown_resource', 'resource not in the map'), ('unreadable', 'not readable: full resync'), ('test', 'test call from setup')], max_length=20, verbose_name='outcome')),
                ('problems', portal.core.problems.ProblemsField(verbose_name='problems')),
                ('named_resource', models.CharField(blank=True, max_length=200, verbose_name='resource named')),
                ('generation', models.BigIntegerField(null=True, verbose_name='generation')),
                ('fetch', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='callbacks', to='doorsync.bookingfetch', verbose_name='answered by')),
                ('resource', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='callbacks', to='accessmap.resource', verbose_name='resource')),
            ],
            options={
                'verbose_name': 'callback',
                'verbose_name_plural': 'callbacks',
                'ordering': ['-id'],
                'permissions': [('read_callback_body', 'Can read what a callback said, word for word')],
            },
        ),
        migrations.CreateModel(
            name='ControllerCard',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.CharField(max_length=200, verbose_name='card')),
                ('desired', models.JSONField(default=dict, verbose_name='desired')),
                ('written', models.JSONField(editable=False, null=True)),
                ('state', models.CharField(choices=[('pending', 'to be written'), ('in_step', 'in step'), ('failed', 'refused by the controller'), ('unconfirmed', 'written, not confirmed'), ('gone', 'removed; watched in case a late write brings it back')], max_length=20, verbose_name='state')),
                ('reason', portal.core.problems.ProblemsField(verbose_name='reason')),
                ('changed_at', models.DateTimeField(verbose_name='changed')),
                ('confirmed_at', models.DateTimeField(null=True, verbose_name='confirmed')),
                ('controller', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='cards', to='accessmap.controller', verbose_name='controller')),
            ],
            options={
                'verbose_name': 'card at a controller',
                'verbose_name_plural': 'cards at controllers',
                'ordering': ['controller_id', 'number'],
            },
        ),
        migrations.CreateModel(
            name='ControllerHold',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('door_number', models.PositiveSmallIntegerField(verbose_name='door')),
                ('desired', models.JSONField(default=list, verbose_name='desired')),
                ('open_until', models.DateTimeField(blank=True, null=True, verbose_name='open until')),
                ('state', models.CharField(choices=[('pending', 'to be written'), ('in_step', 'in step'), ('failed', 'refused by the controller'), ('unconfirmed', 'written, not confirmed'), ('gone', 'removed; watched in case a late write brings it back')], max_length=20, verbose_name='state')),
                ('reason', portal.core.problems.ProblemsField(verbose_name='reason')),
                ('changed_at', models.DateTimeField(verbose_name='changed')),
                ('controller', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='holds', to='accessmap.controller', verbose_name='controller')),
            ],
            options={
                'verbose_name': 'door held unlocked',
                'verbose_name_plural': 'doors held unlocked',
                'ordering': ['controller__name', 'door_number'],
            },
        ),
        migrations.CreateModel(
            name='ControllerSync',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('generation', models.BigIntegerField(default=1, verbose_name='generation')),
                ('observed_generation', models.BigIntegerField(default=0, verbose_name='observed generation')),
                ('lease_token', models.UUIDField(editable=False, null=True)),
                ('leased_generation', models.BigIntegerField(default=0, editable=False, help_text='The generation when it was leased.')),
                ('leased_until', models.DateTimeField(editable=False, help_text='A worker that has not finished by then counts as dead.', null=True)),
                ('next_attempt_at', models.DateTimeField(editable=False, null=True, verbose_name='next attempt')),
                ('enqueued_at', models.DateTimeField(editable=False, null=True)),
                ('failures', models.PositiveIntegerField(default=0, verbose_name='failures in a row')),
                ('last_error', portal.core.problems.ProblemsField(verbose_name='last error')),
                ('created_at', models.DateTimeField(default=portal.core.clock.now, editable=False, verbose_name='known since')),
                ('started_at', models.DateTimeField(null=True, verbose_name='last started')),
                ('succeeded_at', models.DateTimeField(null=True, verbose_name='last OK')),
                ('next_edge_at', models.DateTimeField(help_text='Only for controllers without time windows.', null=True, verbose_name='next edge')),
                ('unreachable', models.PositiveIntegerField(default=0, verbose_name='unreachable in a row')),
                ('suspended_until', models.DateTimeField(null=True, verbose_name='suspended until')),
                ('pending_plan', models.JSONField(blank=True, null=True, verbose_name='plan pending approval')),
                ('approved', models.JSONField(default=list, editable=False, help_text='[card, door] that staff approved to revoke.')),
                ('dropped', models.JSONField(default=list, editable=False, help_text='[card, door] that staff keep until the end that was promised.')),
                ('serial', models.CharField(blank=True, max_length=100, verbose_name='serial number')),
                ('firmware', models.CharField(blank=True, max_length=100, verbose_name='firmware')),
                ('clock_skew_seconds', models.FloatField(null=True, verbose_name='clock skew (seconds)')),
                ('controller', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='sync', to='accessmap.controller', verbose_name='controller')),
            ],
            options={
                'verbose_name': 'controller state',
                'verbose_name_plural': 'controller states',
                'ordering': ['controller__name'],
                'permissions': [('approve_controllersync', 'Can approve or drop a pending plan')],
            },
        ),
        migrations.CreateModel(
            name='EventCursor',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('index', models.BigIntegerField(default=0, verbose_name='last index')),
                ('read_at', models.DateTimeField(null=True, verbose_name='last read')),
                ('last_error', portal.core.problems.ProblemsField(verbose_name='last error')),
                ('controller', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='event_cursor', to='accessmap.controller', verbose_name='controller')),
            ],
            options={
                'verbose_name': 'door event cursor',
                'verbose_name_plural': 'door event cursors',
            },
        ),
        migrations.CreateModel(
            name='FetchTarget',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('generation', models.BigIntegerField(verbose_name='generation')),
                ('confirmed_at', models.DateTimeField(null=True)),
                ('controller', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='accessmap.controller')),
                ('fetch', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='targets', to='doorsync.bookingfetch')),
            ],
        ),
        migrations.CreateModel(
            name='Job',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('kind', models.CharField(max_length=50)),
                ('params', models.JSONField(default=dict)),
                ('label', models.CharField(max_length=300)),
                ('language', models.CharField(max_length=20)),
                ('state', models.CharField(choices=[('waiting', 'waiting for a worker'), ('running', 'running'), ('done', 'done'), ('failed', 'failed')], default='waiting', max_length=20)),
                ('progress', portal.core.problems.ProblemsField()),
                ('problems', portal.core.problems.ProblemsField()),
                ('encrypted_result', encrypted_fields.fields.EncryptedTextField(editable=False, null=True)),
                ('created_at', models.DateTimeField(db_index=True, default=portal.core.clock.now)),
                ('enqueued_at', models.DateTimeField(default=portal.core.clock.now)),
                ('started_at', models.DateTimeField(null=True)),
                ('finished_at', models.DateTimeField(null=True)),
                ('requested_by', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'default_permissions': (),
            },
        ),
        migrations.CreateModel(
            name='Notice',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('drift', 'lasting drift'), ('controller', 'unreachable controller'), ('callbacks', 'callback failure'), ('offision', 'Offision failure'), ('seals', 'broken seals of the audit log')], max_length=20, verbose_name='kind')),
                ('key', models.CharField(editable=False, help_text='Which object of its kind.', max_length=100)),
                ('label', models.CharField(blank=True, help_text="The name of the object's row.", max_length=300, verbose_name='object')),
                ('problems', portal.core.problems.ProblemsField(verbose_name='problem')),
                ('since', models.DateTimeField(verbose_name='since')),
                ('notified_at', models.DateTimeField(null=True, verbose_name='notified')),
                ('clear_since', models.DateTimeField(editable=False, help_text='No issue has been seen since then.', null=True)),
                ('ended_at', models.DateTimeField(null=True, verbose_name='ended')),
                ('end_notified_at', models.DateTimeField(null=True, verbose_name='notified of the end')),
            ],
            options={
                'verbose_name': 'notice',
                'verbose_name_plural': 'notices',
                'ordering': ['-id'],
                'indexes': [models.Index(fields=['since'], name='doorsync_no_since_2dfee6_idx')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('ended_at__isnull', True)), fields=('kind', 'key'), name='one_open_notice_an_object')],
            },
        ),
        migrations.CreateModel(
            name='Recipient',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=200, unique=True, verbose_name='name')),
                ('channel', models.CharField(choices=[('email', 'email'), ('webhook', 'webhook')], default='email', max_length=10, verbose_name='channel')),
                ('email', models.EmailField(blank=True, max_length=320, verbose_name='email')),
                ('url', models.CharField(blank=True, help_text='Where the receiver listens. Use https:// unless it is on this machine.', max_length=500, validators=[django.core.validators.RegexValidator('^https?://[^\\s/]+\\S*\\Z', 'An address that starts with https:// or http://.')], verbose_name='webhook address')),
                ('secret', encrypted_fields.fields.EncryptedTextField(editable=False, null=True)),
                ('kinds', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(choices=[('drift', 'lasting drift'), ('controller', 'unreachable controller'), ('callbacks', 'callback failure'), ('offision', 'Offision failure'), ('seals', 'broken seals of the audit log')], max_length=20), default=doorsync.models.notices.every_kind, size=None, verbose_name='notified of')),
                ('language', models.CharField(choices=[('en', 'English'), ('zh-hant', 'Traditional Chinese')], default='en', max_length=10, verbose_name='language')),
                ('digest_hour', models.PositiveSmallIntegerField(default=8, help_text='0 to 23. The daily digest lists open and ended issues. It is not sent when there are none.', validators=[django.core.validators.MaxValueValidator(23)], verbose_name='hour of the digest')),
                ('enabled', models.BooleanField(default=True, verbose_name='enabled')),
                ('notified_until', models.DateTimeField(default=portal.core.clock.now, editable=False)),
                ('message_at', models.DateTimeField(editable=False, null=True, verbose_name='last message')),
                ('digest_at', models.DateTimeField(default=portal.core.clock.now, editable=False, verbose_name='last digest')),
            ],
            options={
                'verbose_name': 'recipient of notices',
                'verbose_name_plural': 'recipients of notices',
                'ordering': ['name'],
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('channel', 'email'), models.Q(('email', ''), _negated=True)), models.Q(('channel', 'webhook'), models.Q(('url', ''), _negated=True)), _connector='OR'), name='recipient_has_an_address', violation_error_message='Enter the email address or the webhook address.')],
            },
        ),
        migrations.CreateModel(
            name='Delivery',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.UUIDField(default=uuid.uuid4, editable=False)),
                ('type', models.CharField(max_length=30, verbose_name='type')),
                ('subject', models.CharField(max_length=200, verbose_name='subject')),
                ('text', models.TextField(verbose_name='text')),
                ('data', models.JSONField(default=dict, verbose_name='data')),
                ('made_at', models.DateTimeField(default=portal.core.clock.now, verbose_name='made')),
                ('state', models.CharField(choices=[('waiting', 'to be sent'), ('sent', 'sent'), ('given_up', 'given up')], default='waiting', max_length=10, verbose_name='state')),
                ('attempts', models.PositiveSmallIntegerField(default=0, verbose_name='attempts')),
                ('next_attempt_at', models.DateTimeField(default=portal.core.clock.now, null=True, verbose_name='next attempt')),
                ('last_error', portal.core.problems.ProblemsField(verbose_name='last error')),
                ('sent_at', models.DateTimeField(null=True, verbose_name='sent')),
                ('recipient', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='deliveries', to='doorsync.recipient', verbose_name='recipient')),
            ],
            options={
                'verbose_name': 'message to a recipient',
                'verbose_name_plural': 'messages to recipients',
                'ordering': ['-id'],
            },
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='recipient',
            trigger=pgtrigger.compiler.Trigger(name='audited', sql=pgtrigger.compiler.UpsertTriggerSql(declare='DECLARE detail JSONB; kept RECORD;', func='\n            detail := jsonb_strip_nulls(jsonb_build_object(\'name\', CASE WHEN OLD."name" IS DISTINCT FROM NEW."name" THEN jsonb_build_array(OLD."name", NEW."name") END,\n\'channel\', CASE WHEN OLD."channel" IS DISTINCT FROM NEW."channel" THEN jsonb_build_array(OLD."channel", NEW."channel") END,\n\'email\', CASE WHEN OLD."email" IS DISTINCT FROM NEW."email" THEN jsonb_build_array(OLD."email", NEW."email") END,\n\'url\', CASE WHEN OLD."url" IS DISTINCT FROM NEW."url" THEN to_jsonb(\'changed\'::text) END,\n\'secret\', CASE WHEN OLD."secret" IS DISTINCT FROM NEW."secret" THEN to_jsonb(\'written\'::text) END,\n\'kinds\', CASE WHEN OLD."kinds" IS DISTINCT FROM NEW."kinds" THEN jsonb_build_array(OLD."kinds", NEW."kinds") END,\n\'language\', CASE WHEN OLD."language" IS DISTINCT FROM NEW."language" THEN jsonb_build_array(OLD."language", NEW."language") END,\n\'digest_hour\', CASE WHEN OLD."digest_hour" IS DISTINCT FROM NEW."digest_hour" THEN jsonb_build_array(OLD."digest_hour", NEW."digest_hour") END,\n\'enabled\', CASE WHEN OLD."enabled" IS DISTINCT FROM NEW."enabled" THEN jsonb_build_array(OLD."enabled", NEW."enabled") END));\n            IF TG_OP = \'UPDATE\' AND detail = \'{}\' THEN\n                RETURN NULL;\n            ELSIF TG_OP = \'DELETE\' THEN\n                kept := OLD;\n            ELSE\n                kept := NEW;\n            END IF;\n            INSERT INTO audit_entry\n                (at, actor, action, object_type, object_id, object_label, outcome, reasons, detail)\n            VALUES (\n                clock_timestamp(), left(COALESCE(NULLIF(current_setting(\'pghistory.context_metadata\', true), \'\')::jsonb ->> \'actor\', (SELECT username FROM auth_user WHERE id = (NULLIF(current_setting(\'pghistory.context_metadata\', true), \'\')::jsonb ->> \'user\')::bigint), NULLIF(current_setting(\'portal.process\', true), \'\'), \'database:\' || session_user), 200),\n                \'doorsync.recipient.\' || CASE TG_OP\n                    WHEN \'INSERT\' THEN \'added\' WHEN \'UPDATE\' THEN \'changed\' ELSE \'deleted\' END,\n                \'doorsync.Recipient\', kept."id"::text, left(COALESCE(kept.name, \'\'), 300),\n                \'done\', \'[]\', detail\n            );\n            RETURN NULL;\n        ', hash='a3f1ec1fe28aa9dc22775e428fe4c03562443e43', operation='INSERT OR UPDATE OR DELETE', pgid='pgtrigger_audited_1b488', table='doorsync_recipient', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='recipient',
            trigger=pgtrigger.compiler.Trigger(name='never_emptied', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'The audit log would not know which rows are gone: use DELETE.';", hash='3555d388429f48cc0e967626ff60e426a15c07c5', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_never_emptied_59b89', table='doorsync_recipient', when='BEFORE')),
        ),
        migrations.AddField(
            model_name='reconciliation',
            name='controller',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='reconciliations', to='accessmap.controller', verbose_name='controller'),
        ),
        migrations.AddField(
            model_name='rejectedbooking',
            name='resource',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='rejected', to='accessmap.resource', verbose_name='resource'),
        ),
        migrations.AddField(
            model_name='resourcesync',
            name='resource',
            field=models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='sync', to='accessmap.resource', verbose_name='resource'),
        ),
        migrations.AddConstraint(
            model_name='schedulerstate',
            constraint=models.CheckConstraint(condition=models.Q(('id', 1)), name='one_scheduler_state'),
        ),
        migrations.AddField(
            model_name='storedbooking',
            name='resource',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='bookings', to='accessmap.resource', verbose_name='resource'),
        ),
        migrations.AddField(
            model_name='unmanagedcard',
            name='controller',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='unmanaged', to='accessmap.controller', verbose_name='controller'),
        ),
        migrations.AddIndex(
            model_name='callback',
            index=models.Index(condition=models.Q(('fetch__isnull', True)), fields=['resource', 'generation'], name='callbacks_unanswered'),
        ),
        migrations.AddIndex(
            model_name='callback',
            index=models.Index(condition=models.Q(('fetch__isnull', False)), fields=['fetch'], name='callbacks_answered'),
        ),
        migrations.AddIndex(
            model_name='controllercard',
            index=models.Index(fields=['state'], name='doorsync_co_state_b82ec3_idx'),
        ),
        migrations.AddIndex(
            model_name='controllercard',
            index=models.Index(fields=['number'], name='doorsync_co_number_e11b14_idx'),
        ),
        migrations.AddConstraint(
            model_name='controllercard',
            constraint=models.UniqueConstraint(fields=('controller', 'number'), name='one_entry_a_card'),
        ),
        migrations.AddConstraint(
            model_name='controllerhold',
            constraint=models.UniqueConstraint(fields=('controller', 'door_number'), name='one_hold_a_door'),
        ),
        migrations.AddIndex(
            model_name='controllersync',
            index=models.Index(condition=models.Q(('generation__gt', models.F('observed_generation'))), fields=['next_attempt_at'], name='controllers_behind'),
        ),
        migrations.AddIndex(
            model_name='fetchtarget',
            index=models.Index(condition=models.Q(('confirmed_at__isnull', True)), fields=['controller', 'generation'], name='targets_unconfirmed'),
        ),
        migrations.AddConstraint(
            model_name='job',
            constraint=models.UniqueConstraint(condition=models.Q(('state__in', ['waiting', 'running'])), fields=('kind', 'params', 'requested_by'), name='one_unfinished_job_of_a_kind'),
        ),
        migrations.AddIndex(
            model_name='delivery',
            index=models.Index(condition=models.Q(('state', 'waiting')), fields=['next_attempt_at'], name='deliveries_waiting'),
        ),
        migrations.AddIndex(
            model_name='delivery',
            index=models.Index(fields=['made_at'], name='doorsync_de_made_at_11ac81_idx'),
        ),
        migrations.AddIndex(
            model_name='resourcesync',
            index=models.Index(condition=models.Q(('generation__gt', models.F('observed_generation'))), fields=['next_attempt_at'], name='resources_behind'),
        ),
        migrations.AddIndex(
            model_name='storedbooking',
            index=models.Index(fields=['ends_at'], name='doorsync_st_ends_at_e560b0_idx'),
        ),
        migrations.AddConstraint(
            model_name='storedbooking',
            constraint=models.UniqueConstraint(fields=('resource', 'external_id'), name='one_booking_an_id'),
        ),
        migrations.AddConstraint(
            model_name='storedbooking',
            constraint=models.CheckConstraint(condition=models.Q(('starts_at__lt', models.F('ends_at'))), name='booking_starts_before_it_ends'),
        ),
        migrations.AddConstraint(
            model_name='unmanagedcard',
            constraint=models.UniqueConstraint(fields=('controller', 'number'), name='one_unmanaged_a_card'),
        ),
        # The one row of the scheduler, which every tick locks.
        migrations.RunSQL(
            "INSERT INTO doorsync_schedulerstate (id, subscription_error, offision_error) VALUES (1, '[]', '[]')",
            "DELETE FROM doorsync_schedulerstate",
        ),
    ]
