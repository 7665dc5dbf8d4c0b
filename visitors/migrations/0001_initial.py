import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
import encrypted_fields.fields
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
        migrations.AddConstraint(
            model_name='throttledscans',
            constraint=models.UniqueConstraint(fields=('turnstile', 'minute'), name='one_count_per_minute'),
        ),
        migrations.AddConstraint(
            model_name='reader',
            constraint=models.UniqueConstraint(fields=('turnstile', 'name'), name='one_direction_per_reader'),
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
