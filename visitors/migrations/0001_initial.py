import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
import encrypted_fields.fields
import pgtrigger.compiler
import pgtrigger.migrations
import portal.core.clock
import portal.core.problems
import uuid
import visitors.models.turnstiles
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('accessmap', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='Visit',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('code_digest', models.CharField(max_length=64, unique=True, verbose_name='digest of the code')),
                ('name', models.CharField(blank=True, max_length=300, verbose_name='name')),
                ('company', models.CharField(blank=True, max_length=300, verbose_name='company')),
                ('host_email', models.CharField(blank=True, max_length=320, verbose_name='host')),
                ('valid_from', models.DateTimeField(null=True, verbose_name='from')),
                ('valid_until', models.DateTimeField(null=True, verbose_name='until')),
                ('status', models.CharField(choices=[('expected', 'expected'), ('checked_in', 'checked in'), ('checked_out', 'checked out'), ('cancelled', 'cancelled'), ('blacklisted', 'blacklisted'), ('unknown', 'unknown')], max_length=20, verbose_name='status')),
                ('offision_site', models.CharField(max_length=500, null=True, verbose_name='site in Offision')),
                ('seen_at', models.DateTimeField(db_index=True, verbose_name='last seen in Offision')),
            ],
            options={
                'verbose_name': 'visit',
                'verbose_name_plural': 'visits',
                'ordering': ['-seen_at'],
            },
        ),
        migrations.CreateModel(
            name='Turnstile',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=200, unique=True, verbose_name='name')),
                ('enabled', models.BooleanField(default=True, verbose_name='enabled')),
                ('direction', models.CharField(choices=[('in', 'in'), ('out', 'out'), ('both', 'both')], max_length=4, verbose_name='direction')),
                ('protocol', models.CharField(choices=[('native', 'portal (JSON, key in a header)'), ('template', 'template (configured below)'), ('vguang', 'Vguang / RTscan'), ('control_id', 'Control iD'), ('hikvision', 'Hikvision remote check')], default='native', max_length=20, verbose_name='protocol')),
                ('sources', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=50, validators=[visitors.models.turnstiles.validate_network]), blank=True, default=list, help_text='Addresses or networks of the device, separated by commas. Empty: any address.', size=None, verbose_name='source addresses')),
                ('code_prefix', models.CharField(blank=True, help_text='What the scanner is configured to put before a code.', max_length=20, verbose_name='prefix')),
                ('code_suffix', models.CharField(blank=True, help_text='What the scanner is configured to put after a code.', max_length=20, verbose_name='suffix')),
                ('sends_hex', models.BooleanField(default=False, help_text='As some Vguang and RTscan models do.', verbose_name='sends codes as hexadecimal digits')),
                ('statuses_in', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(choices=[('expected', 'expected'), ('checked_in', 'checked in'), ('checked_out', 'checked out')], max_length=20), blank=True, default=visitors.models.turnstiles._checked_in, size=None, verbose_name='visiting statuses that may come in')),
                ('statuses_out', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(choices=[('expected', 'expected'), ('checked_in', 'checked in'), ('checked_out', 'checked out')], max_length=20), blank=True, default=visitors.models.turnstiles._checked_in, size=None, verbose_name='visiting statuses that may go out')),
                ('tolerance_minutes', models.PositiveSmallIntegerField(default=0, help_text='How long before its start and after its end a visit still admits.', validators=[django.core.validators.MaxValueValidator(1440)], verbose_name='tolerance (minutes)')),
                ('any_site', models.BooleanField(default=False, verbose_name='admits visits of other sites')),
                ('offision_site', models.CharField(blank=True, help_text='The name of this site in Offision, if it differs from the name here.', max_length=200, verbose_name='site in Offision')),
                ('anti_passback', models.CharField(choices=[('off', 'off'), ('soft', 'soft: a second arrival is noted'), ('hard', 'hard: no second arrival before leaving'), ('timed', 'timed: no second arrival for so many minutes')], default='off', max_length=10, verbose_name='anti-passback')),
                ('anti_passback_minutes', models.PositiveSmallIntegerField(default=10, validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(1440)], verbose_name='minutes of timed anti-passback')),
                ('leaving_needs_arrival', models.BooleanField(default=False, help_text='If not ticked, a visitor whose arrival was missed may leave.', verbose_name='leaving needs an arrival')),
                ('reports_passages', models.BooleanField(default=False, help_text='If not ticked, an admitted visitor counts as having walked through, marked as doubtful.', verbose_name='reports passages')),
                ('passage_seconds', models.PositiveSmallIntegerField(default=30, help_text='A passage that is not confirmed within this time did not happen.', validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(600)], verbose_name='seconds for a passage')),
                ('trust_minutes', models.PositiveSmallIntegerField(default=0, help_text='Used while Offision does not answer. 0: nobody passes then.', validators=[django.core.validators.MaxValueValidator(1440)], verbose_name='minutes to trust a stored visit')),
                ('updates_visit_status', models.BooleanField(default=False, help_text='Passages become check-ins and check-outs in Offision, if the contract has these operations.', verbose_name='check in and out in Offision')),
                ('opens', models.CharField(choices=[('answer', 'by the answer: the device opens itself'), ('door', 'by the portal: it unlocks a door for a moment')], default='answer', max_length=10, verbose_name='opens')),
                ('open_ms', models.PositiveIntegerField(default=5000, validators=[django.core.validators.MinValueValidator(100), django.core.validators.MaxValueValidator(60000)], verbose_name='open for (ms)')),
                ('shows', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(choices=[('name', 'name'), ('company', 'company'), ('host', "host's email")], max_length=10), blank=True, default=list, size=None, verbose_name='what its display may show')),
                ('door', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='turnstiles', to='accessmap.door', verbose_name='door')),
                ('site', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to='accessmap.site', verbose_name='site')),
            ],
            options={
                'verbose_name': 'turnstile',
                'verbose_name_plural': 'turnstiles',
                'ordering': ['name'],
            },
        ),
        migrations.CreateModel(
            name='ThrottledScans',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('minute', models.DateTimeField(verbose_name='minute')),
                ('count', models.PositiveIntegerField(verbose_name='scans')),
                ('turnstile', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='visitors.turnstile', verbose_name='turnstile')),
            ],
            options={
                'verbose_name': 'rejected scans',
                'verbose_name_plural': 'rejected scans',
                'ordering': ['-minute'],
            },
        ),
        migrations.CreateModel(
            name='Template',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('body', models.CharField(choices=[('query', 'in the address (GET)'), ('form', 'a form'), ('json', 'JSON'), ('raw', 'the whole body')], max_length=10, verbose_name='form of the request')),
                ('code_at', models.CharField(blank=True, help_text="The field's name; in JSON a path such as data.code.", max_length=100, verbose_name='code')),
                ('reader_at', models.CharField(blank=True, max_length=100, verbose_name='reader')),
                ('direction_at', models.CharField(blank=True, max_length=100, verbose_name='direction')),
                ('word_in', models.CharField(blank=True, max_length=50, verbose_name='word for in')),
                ('word_out', models.CharField(blank=True, max_length=50, verbose_name='word for out')),
                ('nonce_at', models.CharField(blank=True, max_length=100, verbose_name='number of the scan')),
                ('allow_body', models.TextField(max_length=2000, verbose_name='answer that opens')),
                ('deny_body', models.TextField(max_length=2000, verbose_name='answer that denies')),
                ('content_type', models.CharField(default='text/plain', max_length=100, verbose_name='content type of the answer')),
                ('turnstile', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='template', to='visitors.turnstile')),
            ],
            options={
                'verbose_name': 'template',
                'verbose_name_plural': 'templates',
            },
        ),
        migrations.CreateModel(
            name='Reader',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(help_text='The name that the device sends, such as 0 or 1.', max_length=50, verbose_name='reader')),
                ('direction', models.CharField(choices=[('in', 'in'), ('out', 'out')], max_length=4, verbose_name='direction')),
                ('turnstile', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='readers', to='visitors.turnstile')),
            ],
            options={
                'verbose_name': 'reader',
                'verbose_name_plural': 'readers',
            },
        ),
        migrations.CreateModel(
            name='KioskPairing',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('code_digest', models.CharField(max_length=64, unique=True)),
                ('expires_at', models.DateTimeField()),
                ('used_at', models.DateTimeField(null=True)),
                ('failures', models.PositiveSmallIntegerField(default=0)),
                ('turnstile', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='pairings', to='visitors.turnstile')),
            ],
        ),
        migrations.CreateModel(
            name='TurnstileKey',
            fields=[
                ('id', models.CharField(editable=False, max_length=150, primary_key=True, serialize=False, unique=True)),
                ('prefix', models.CharField(editable=False, max_length=8, unique=True)),
                ('hashed_key', models.CharField(editable=False, max_length=150)),
                ('created', models.DateTimeField(auto_now_add=True, db_index=True)),
                ('name', models.CharField(default=None, help_text='A free-form name for the API key. Need not be unique. 50 characters max.', max_length=50)),
                ('revoked', models.BooleanField(blank=True, default=False, help_text='If the API key is revoked, clients cannot use it anymore. (This cannot be undone.)')),
                ('expiry_date', models.DateTimeField(blank=True, help_text='Once API key expires, clients cannot use it anymore.', null=True, verbose_name='Expires')),
                ('kiosk', models.BooleanField(default=False, verbose_name='of a kiosk')),
                ('turnstile', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='keys', to='visitors.turnstile', verbose_name='turnstile')),
            ],
            options={
                'verbose_name': 'key of a turnstile',
                'verbose_name_plural': 'keys of turnstiles',
                'ordering': ['-created'],
            },
        ),
        migrations.CreateModel(
            name='Verification',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('at', models.DateTimeField(db_index=True, default=portal.core.clock.now, verbose_name='at')),
                ('reader', models.CharField(blank=True, max_length=50, verbose_name='reader')),
                ('direction', models.CharField(max_length=4, verbose_name='direction')),
                ('code_digest', models.CharField(max_length=64, verbose_name='digest of the code')),
                ('nonce', models.CharField(blank=True, max_length=100, verbose_name='nonce')),
                ('allowed', models.BooleanField(verbose_name='allowed')),
                ('reasons', models.JSONField(default=list, verbose_name='reasons')),
                ('notes', models.JSONField(default=list, verbose_name='notes')),
                ('source', models.CharField(choices=[('live', 'Offision'), ('trusted', 'a stored visit'), ('none', 'nothing'), ('offline', 'the turnstile, offline')], default='live', max_length=10, verbose_name='decided by')),
                ('visitor', models.CharField(blank=True, max_length=300, verbose_name='visitor')),
                ('scanned_at', models.DateTimeField(null=True, verbose_name="scanned, by the device's clock")),
                ('upstream', portal.core.problems.ProblemsField(verbose_name='problem with Offision')),
                ('turnstile', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='verifications', to='visitors.turnstile', verbose_name='turnstile')),
                ('visit', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='verifications', to='visitors.visit', verbose_name='visit')),
            ],
            options={
                'verbose_name': 'verification',
                'verbose_name_plural': 'verifications',
                'ordering': ['-at'],
            },
        ),
        migrations.CreateModel(
            name='Passage',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('direction', models.CharField(choices=[('in', 'in'), ('out', 'out')], max_length=4, verbose_name='direction')),
                ('at', models.DateTimeField(verbose_name='at')),
                ('passed', models.BooleanField(verbose_name='walked through')),
                ('assumed', models.BooleanField(default=False, help_text='Assumed: the turnstile does not report passages.', verbose_name='doubtful')),
                ('recorded_at', models.DateTimeField(default=portal.core.clock.now, verbose_name='recorded')),
                ('site', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='accessmap.site', verbose_name='site')),
                ('turnstile', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, to='visitors.turnstile', verbose_name='turnstile')),
                ('verification', models.OneToOneField(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='passage', to='visitors.verification', verbose_name='verification')),
                ('visit', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='passages', to='visitors.visit', verbose_name='visit')),
            ],
            options={
                'verbose_name': 'passage',
                'verbose_name_plural': 'passages',
                'ordering': ['-at', '-id'],
            },
        ),
        migrations.CreateModel(
            name='VisitStatusUpdate',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('change', models.CharField(choices=[('check_in', 'check in'), ('check_out', 'check out')], max_length=10, verbose_name='change')),
                ('code', encrypted_fields.fields.EncryptedCharField(editable=False, max_length=200, null=True)),
                ('created_at', models.DateTimeField(default=portal.core.clock.now, verbose_name='since')),
                ('attempts', models.PositiveSmallIntegerField(default=0, verbose_name='attempts')),
                ('next_attempt_at', models.DateTimeField(default=portal.core.clock.now, null=True, verbose_name='next attempt')),
                ('done_at', models.DateTimeField(null=True, verbose_name='done')),
                ('last_error', portal.core.problems.ProblemsField(verbose_name='last error')),
                ('turnstile', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, to='visitors.turnstile', verbose_name='turnstile')),
                ('verification', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='status_update', to='visitors.verification')),
                ('visit', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='visitors.visit', verbose_name='visit')),
            ],
            options={
                'verbose_name': 'check-in or check-out to send',
                'verbose_name_plural': 'check-ins and check-outs to send',
                'ordering': ['-id'],
            },
        ),
        migrations.AddConstraint(
            model_name='turnstile',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('opens', 'door'), _negated=True), ('door__isnull', False), _connector='OR'), name='door_to_open_required', violation_error_message='Choose the door that the portal is to unlock.'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='turnstile',
            trigger=pgtrigger.compiler.Trigger(name='audited', sql=pgtrigger.compiler.UpsertTriggerSql(declare='DECLARE detail JSONB; kept RECORD;', func='\n            detail := jsonb_strip_nulls(jsonb_build_object(\'site\', CASE WHEN OLD."site_id" IS DISTINCT FROM NEW."site_id" THEN jsonb_build_array((SELECT target.name FROM "accessmap_site" target WHERE target."id" = OLD."site_id"), (SELECT target.name FROM "accessmap_site" target WHERE target."id" = NEW."site_id")) END,\n\'name\', CASE WHEN OLD."name" IS DISTINCT FROM NEW."name" THEN jsonb_build_array(OLD."name", NEW."name") END,\n\'enabled\', CASE WHEN OLD."enabled" IS DISTINCT FROM NEW."enabled" THEN jsonb_build_array(OLD."enabled", NEW."enabled") END,\n\'direction\', CASE WHEN OLD."direction" IS DISTINCT FROM NEW."direction" THEN jsonb_build_array(OLD."direction", NEW."direction") END,\n\'protocol\', CASE WHEN OLD."protocol" IS DISTINCT FROM NEW."protocol" THEN jsonb_build_array(OLD."protocol", NEW."protocol") END,\n\'sources\', CASE WHEN OLD."sources" IS DISTINCT FROM NEW."sources" THEN jsonb_build_array(OLD."sources", NEW."sources") END,\n\'code_prefix\', CASE WHEN OLD."code_prefix" IS DISTINCT FROM NEW."code_prefix" THEN jsonb_build_array(OLD."code_prefix", NEW."code_prefix") END,\n\'code_suffix\', CASE WHEN OLD."code_suffix" IS DISTINCT FROM NEW."code_suffix" THEN jsonb_build_array(OLD."code_suffix", NEW."code_suffix") END,\n\'sends_hex\', CASE WHEN OLD."sends_hex" IS DISTINCT FROM NEW."sends_hex" THEN jsonb_build_array(OLD."sends_hex", NEW."sends_hex") END,\n\'statuses_in\', CASE WHEN OLD."statuses_in" IS DISTINCT FROM NEW."statuses_in" THEN jsonb_build_array(OLD."statuses_in", NEW."statuses_in") END,\n\'statuses_out\', CASE WHEN OLD."statuses_out" IS DISTINCT FROM NEW."statuses_out" THEN jsonb_build_array(OLD."statuses_out", NEW."statuses_out") END,\n\'tolerance_minutes\', CASE WHEN OLD."tolerance_minutes" IS DISTINCT FROM NEW."tolerance_minutes" THEN jsonb_build_array(OLD."tolerance_minutes", NEW."tolerance_minutes") END,\n\'any_site\', CASE WHEN OLD."any_site" IS DISTINCT FROM NEW."any_site" THEN jsonb_build_array(OLD."any_site", NEW."any_site") END,\n\'offision_site\', CASE WHEN OLD."offision_site" IS DISTINCT FROM NEW."offision_site" THEN jsonb_build_array(OLD."offision_site", NEW."offision_site") END,\n\'anti_passback\', CASE WHEN OLD."anti_passback" IS DISTINCT FROM NEW."anti_passback" THEN jsonb_build_array(OLD."anti_passback", NEW."anti_passback") END,\n\'anti_passback_minutes\', CASE WHEN OLD."anti_passback_minutes" IS DISTINCT FROM NEW."anti_passback_minutes" THEN jsonb_build_array(OLD."anti_passback_minutes", NEW."anti_passback_minutes") END,\n\'leaving_needs_arrival\', CASE WHEN OLD."leaving_needs_arrival" IS DISTINCT FROM NEW."leaving_needs_arrival" THEN jsonb_build_array(OLD."leaving_needs_arrival", NEW."leaving_needs_arrival") END,\n\'reports_passages\', CASE WHEN OLD."reports_passages" IS DISTINCT FROM NEW."reports_passages" THEN jsonb_build_array(OLD."reports_passages", NEW."reports_passages") END,\n\'passage_seconds\', CASE WHEN OLD."passage_seconds" IS DISTINCT FROM NEW."passage_seconds" THEN jsonb_build_array(OLD."passage_seconds", NEW."passage_seconds") END,\n\'trust_minutes\', CASE WHEN OLD."trust_minutes" IS DISTINCT FROM NEW."trust_minutes" THEN jsonb_build_array(OLD."trust_minutes", NEW."trust_minutes") END,\n\'updates_visit_status\', CASE WHEN OLD."updates_visit_status" IS DISTINCT FROM NEW."updates_visit_status" THEN jsonb_build_array(OLD."updates_visit_status", NEW."updates_visit_status") END,\n\'opens\', CASE WHEN OLD."opens" IS DISTINCT FROM NEW."opens" THEN jsonb_build_array(OLD."opens", NEW."opens") END,\n\'door\', CASE WHEN OLD."door_id" IS DISTINCT FROM NEW."door_id" THEN jsonb_build_array((SELECT COALESCE((SELECT named.name FROM accessmap_controller named WHERE named.id = target.controller_id) || \': \', \'\') || target.name FROM "accessmap_door" target WHERE target."id" = OLD."door_id"), (SELECT COALESCE((SELECT named.name FROM accessmap_controller named WHERE named.id = target.controller_id) || \': \', \'\') || target.name FROM "accessmap_door" target WHERE target."id" = NEW."door_id")) END,\n\'open_ms\', CASE WHEN OLD."open_ms" IS DISTINCT FROM NEW."open_ms" THEN jsonb_build_array(OLD."open_ms", NEW."open_ms") END,\n\'shows\', CASE WHEN OLD."shows" IS DISTINCT FROM NEW."shows" THEN jsonb_build_array(OLD."shows", NEW."shows") END));\n            IF TG_OP = \'UPDATE\' AND detail = \'{}\' THEN\n                RETURN NULL;\n            ELSIF TG_OP = \'DELETE\' THEN\n                kept := OLD;\n            ELSE\n                kept := NEW;\n            END IF;\n            INSERT INTO audit_entry\n                (at, actor, action, object_type, object_id, object_label, outcome, reasons, detail)\n            VALUES (\n                clock_timestamp(), left(COALESCE(NULLIF(current_setting(\'pghistory.context_metadata\', true), \'\')::jsonb ->> \'actor\', (SELECT username FROM auth_user WHERE id = (NULLIF(current_setting(\'pghistory.context_metadata\', true), \'\')::jsonb ->> \'user\')::bigint), NULLIF(current_setting(\'portal.process\', true), \'\'), \'database:\' || session_user), 200),\n                \'visitors.turnstile.\' || CASE TG_OP\n                    WHEN \'INSERT\' THEN \'added\' WHEN \'UPDATE\' THEN \'changed\' ELSE \'deleted\' END,\n                \'visitors.Turnstile\', kept."id"::text, left(COALESCE(kept.name, \'\'), 300),\n                \'done\', \'[]\', detail\n            );\n            RETURN NULL;\n        ', hash='b715eb1af10eb6e368b4ca4875f0160d84a5c753', operation='INSERT OR UPDATE OR DELETE', pgid='pgtrigger_audited_62a84', table='visitors_turnstile', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='turnstile',
            trigger=pgtrigger.compiler.Trigger(name='never_emptied', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'The audit log would not know which rows are gone: use DELETE.';", hash='bc38ac08f327cd51b7430f0b6c9eb471b56583d7', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_never_emptied_f8596', table='visitors_turnstile', when='BEFORE')),
        ),
        migrations.AddConstraint(
            model_name='throttledscans',
            constraint=models.UniqueConstraint(fields=('turnstile', 'minute'), name='one_count_per_minute'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='template',
            trigger=pgtrigger.compiler.Trigger(name='audited', sql=pgtrigger.compiler.UpsertTriggerSql(declare='DECLARE detail JSONB; kept RECORD;', func='\n            detail := jsonb_strip_nulls(jsonb_build_object(\'turnstile\', CASE WHEN OLD."turnstile_id" IS DISTINCT FROM NEW."turnstile_id" THEN jsonb_build_array((SELECT target.name FROM "visitors_turnstile" target WHERE target."id" = OLD."turnstile_id"), (SELECT target.name FROM "visitors_turnstile" target WHERE target."id" = NEW."turnstile_id")) END,\n\'body\', CASE WHEN OLD."body" IS DISTINCT FROM NEW."body" THEN jsonb_build_array(OLD."body", NEW."body") END,\n\'code_at\', CASE WHEN OLD."code_at" IS DISTINCT FROM NEW."code_at" THEN jsonb_build_array(OLD."code_at", NEW."code_at") END,\n\'reader_at\', CASE WHEN OLD."reader_at" IS DISTINCT FROM NEW."reader_at" THEN jsonb_build_array(OLD."reader_at", NEW."reader_at") END,\n\'direction_at\', CASE WHEN OLD."direction_at" IS DISTINCT FROM NEW."direction_at" THEN jsonb_build_array(OLD."direction_at", NEW."direction_at") END,\n\'word_in\', CASE WHEN OLD."word_in" IS DISTINCT FROM NEW."word_in" THEN jsonb_build_array(OLD."word_in", NEW."word_in") END,\n\'word_out\', CASE WHEN OLD."word_out" IS DISTINCT FROM NEW."word_out" THEN jsonb_build_array(OLD."word_out", NEW."word_out") END,\n\'nonce_at\', CASE WHEN OLD."nonce_at" IS DISTINCT FROM NEW."nonce_at" THEN jsonb_build_array(OLD."nonce_at", NEW."nonce_at") END,\n\'allow_body\', CASE WHEN OLD."allow_body" IS DISTINCT FROM NEW."allow_body" THEN jsonb_build_array(OLD."allow_body", NEW."allow_body") END,\n\'deny_body\', CASE WHEN OLD."deny_body" IS DISTINCT FROM NEW."deny_body" THEN jsonb_build_array(OLD."deny_body", NEW."deny_body") END,\n\'content_type\', CASE WHEN OLD."content_type" IS DISTINCT FROM NEW."content_type" THEN jsonb_build_array(OLD."content_type", NEW."content_type") END));\n            IF TG_OP = \'UPDATE\' AND detail = \'{}\' THEN\n                RETURN NULL;\n            ELSIF TG_OP = \'DELETE\' THEN\n                kept := OLD;\n            ELSE\n                kept := NEW;\n            END IF;\n            INSERT INTO audit_entry\n                (at, actor, action, object_type, object_id, object_label, outcome, reasons, detail)\n            VALUES (\n                clock_timestamp(), left(COALESCE(NULLIF(current_setting(\'pghistory.context_metadata\', true), \'\')::jsonb ->> \'actor\', (SELECT username FROM auth_user WHERE id = (NULLIF(current_setting(\'pghistory.context_metadata\', true), \'\')::jsonb ->> \'user\')::bigint), NULLIF(current_setting(\'portal.process\', true), \'\'), \'database:\' || session_user), 200),\n                \'visitors.template.\' || CASE TG_OP\n                    WHEN \'INSERT\' THEN \'added\' WHEN \'UPDATE\' THEN \'changed\' ELSE \'deleted\' END,\n                \'visitors.Template\', kept."id"::text, left(COALESCE((SELECT named.name FROM visitors_turnstile named WHERE named.id = kept.turnstile_id), \'\'), 300),\n                \'done\', \'[]\', detail\n            );\n            RETURN NULL;\n        ', hash='91e0c9411f1b203da15b3c585cb20fc130c0b826', operation='INSERT OR UPDATE OR DELETE', pgid='pgtrigger_audited_aec13', table='visitors_template', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='template',
            trigger=pgtrigger.compiler.Trigger(name='never_emptied', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'The audit log would not know which rows are gone: use DELETE.';", hash='8bf3041554a6e779a904225141039bdd391ad328', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_never_emptied_75b16', table='visitors_template', when='BEFORE')),
        ),
        migrations.AddConstraint(
            model_name='reader',
            constraint=models.UniqueConstraint(fields=('turnstile', 'name'), name='one_direction_per_reader'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='reader',
            trigger=pgtrigger.compiler.Trigger(name='audited', sql=pgtrigger.compiler.UpsertTriggerSql(declare='DECLARE detail JSONB; kept RECORD;', func='\n            detail := jsonb_strip_nulls(jsonb_build_object(\'turnstile\', CASE WHEN OLD."turnstile_id" IS DISTINCT FROM NEW."turnstile_id" THEN jsonb_build_array((SELECT target.name FROM "visitors_turnstile" target WHERE target."id" = OLD."turnstile_id"), (SELECT target.name FROM "visitors_turnstile" target WHERE target."id" = NEW."turnstile_id")) END,\n\'name\', CASE WHEN OLD."name" IS DISTINCT FROM NEW."name" THEN jsonb_build_array(OLD."name", NEW."name") END,\n\'direction\', CASE WHEN OLD."direction" IS DISTINCT FROM NEW."direction" THEN jsonb_build_array(OLD."direction", NEW."direction") END));\n            IF TG_OP = \'UPDATE\' AND detail = \'{}\' THEN\n                RETURN NULL;\n            ELSIF TG_OP = \'DELETE\' THEN\n                kept := OLD;\n            ELSE\n                kept := NEW;\n            END IF;\n            INSERT INTO audit_entry\n                (at, actor, action, object_type, object_id, object_label, outcome, reasons, detail)\n            VALUES (\n                clock_timestamp(), left(COALESCE(NULLIF(current_setting(\'pghistory.context_metadata\', true), \'\')::jsonb ->> \'actor\', (SELECT username FROM auth_user WHERE id = (NULLIF(current_setting(\'pghistory.context_metadata\', true), \'\')::jsonb ->> \'user\')::bigint), NULLIF(current_setting(\'portal.process\', true), \'\'), \'database:\' || session_user), 200),\n                \'visitors.reader.\' || CASE TG_OP\n                    WHEN \'INSERT\' THEN \'added\' WHEN \'UPDATE\' THEN \'changed\' ELSE \'deleted\' END,\n                \'visitors.Reader\', kept."id"::text, left(COALESCE((SELECT named.name FROM visitors_turnstile named WHERE named.id = kept.turnstile_id) || \': \' || kept.name, \'\'), 300),\n                \'done\', \'[]\', detail\n            );\n            RETURN NULL;\n        ', hash='54455553670286e7ccd01f8e87aa913d149ad9d1', operation='INSERT OR UPDATE OR DELETE', pgid='pgtrigger_audited_cfb48', table='visitors_reader', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='reader',
            trigger=pgtrigger.compiler.Trigger(name='never_emptied', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'The audit log would not know which rows are gone: use DELETE.';", hash='250348a1fca686684d8c1b0d5f599e5be09fc60c', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_never_emptied_c340e', table='visitors_reader', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='turnstilekey',
            trigger=pgtrigger.compiler.Trigger(name='audited', sql=pgtrigger.compiler.UpsertTriggerSql(declare='DECLARE detail JSONB; kept RECORD;', func='\n            detail := jsonb_strip_nulls(jsonb_build_object(\'prefix\', CASE WHEN OLD."prefix" IS DISTINCT FROM NEW."prefix" THEN jsonb_build_array(OLD."prefix", NEW."prefix") END,\n\'hashed_key\', CASE WHEN OLD."hashed_key" IS DISTINCT FROM NEW."hashed_key" THEN to_jsonb(\'changed\'::text) END,\n\'created\', CASE WHEN OLD."created" IS DISTINCT FROM NEW."created" THEN jsonb_build_array(OLD."created", NEW."created") END,\n\'name\', CASE WHEN OLD."name" IS DISTINCT FROM NEW."name" THEN jsonb_build_array(OLD."name", NEW."name") END,\n\'revoked\', CASE WHEN OLD."revoked" IS DISTINCT FROM NEW."revoked" THEN jsonb_build_array(OLD."revoked", NEW."revoked") END,\n\'expiry_date\', CASE WHEN OLD."expiry_date" IS DISTINCT FROM NEW."expiry_date" THEN jsonb_build_array(OLD."expiry_date", NEW."expiry_date") END,\n\'turnstile\', CASE WHEN OLD."turnstile_id" IS DISTINCT FROM NEW."turnstile_id" THEN jsonb_build_array((SELECT target.name FROM "visitors_turnstile" target WHERE target."id" = OLD."turnstile_id"), (SELECT target.name FROM "visitors_turnstile" target WHERE target."id" = NEW."turnstile_id")) END,\n\'kiosk\', CASE WHEN OLD."kiosk" IS DISTINCT FROM NEW."kiosk" THEN jsonb_build_array(OLD."kiosk", NEW."kiosk") END));\n            IF TG_OP = \'UPDATE\' AND detail = \'{}\' THEN\n                RETURN NULL;\n            ELSIF TG_OP = \'DELETE\' THEN\n                kept := OLD;\n            ELSE\n                kept := NEW;\n            END IF;\n            INSERT INTO audit_entry\n                (at, actor, action, object_type, object_id, object_label, outcome, reasons, detail)\n            VALUES (\n                clock_timestamp(), left(COALESCE(NULLIF(current_setting(\'pghistory.context_metadata\', true), \'\')::jsonb ->> \'actor\', (SELECT username FROM auth_user WHERE id = (NULLIF(current_setting(\'pghistory.context_metadata\', true), \'\')::jsonb ->> \'user\')::bigint), NULLIF(current_setting(\'portal.process\', true), \'\'), \'database:\' || session_user), 200),\n                \'visitors.turnstilekey.\' || CASE TG_OP\n                    WHEN \'INSERT\' THEN \'added\' WHEN \'UPDATE\' THEN \'changed\' ELSE \'deleted\' END,\n                \'visitors.TurnstileKey\', kept.prefix, left(COALESCE((SELECT named.name FROM visitors_turnstile named WHERE named.id = kept.turnstile_id) || \': \' || kept.prefix, \'\'), 300),\n                \'done\', \'[]\', detail\n            );\n            RETURN NULL;\n        ', hash='31b464a9f6a723b8a8c157e0cee04d52eab99b73', operation='INSERT OR UPDATE OR DELETE', pgid='pgtrigger_audited_f105c', table='visitors_turnstilekey', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='turnstilekey',
            trigger=pgtrigger.compiler.Trigger(name='never_emptied', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'The audit log would not know which rows are gone: use DELETE.';", hash='05fa6c3fe5419fd3dee0d1229eafe237fb769d10', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_never_emptied_36cdb', table='visitors_turnstilekey', when='BEFORE')),
        ),
        migrations.AddIndex(
            model_name='verification',
            index=models.Index(fields=['turnstile', '-at'], name='visitors_ve_turnsti_65c78d_idx'),
        ),
        migrations.AddIndex(
            model_name='verification',
            index=models.Index(condition=models.Q(('visit__isnull', False)), fields=['visit', '-at'], name='verified_visits'),
        ),
        migrations.AddIndex(
            model_name='verification',
            index=models.Index(condition=models.Q(('allowed', False)), fields=['-at'], name='denials'),
        ),
        migrations.AddConstraint(
            model_name='verification',
            constraint=models.UniqueConstraint(condition=models.Q(models.Q(('nonce', ''), _negated=True), models.Q(('source', 'offline'), _negated=True)), fields=('turnstile', 'nonce', 'code_digest', 'direction'), name='one_answer_per_nonce'),
        ),
        migrations.AddConstraint(
            model_name='verification',
            constraint=models.UniqueConstraint(condition=models.Q(('source', 'offline')), fields=('turnstile', 'nonce', 'code_digest', 'direction', 'scanned_at'), name='offline_decision_once'),
        ),
        migrations.AddIndex(
            model_name='passage',
            index=models.Index(fields=['-at', '-id'], name='newest_passages'),
        ),
        migrations.AddIndex(
            model_name='passage',
            index=models.Index(condition=models.Q(('passed', True)), fields=['site', 'visit', '-at'], name='passages_by_visit'),
        ),
        migrations.AddIndex(
            model_name='visitstatusupdate',
            index=models.Index(condition=models.Q(('done_at__isnull', True)), fields=['next_attempt_at'], name='status_updates_due'),
        ),
    ]
