import django.db.models.deletion
import pgtrigger.compiler
import pgtrigger.migrations
import portal.core.clock
import portal.core.problems
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='Seal',
            fields=[
                ('number', models.BigIntegerField(primary_key=True, serialize=False, verbose_name='number')),
                ('first_id', models.BigIntegerField(verbose_name='first entry')),
                ('last_id', models.BigIntegerField(verbose_name='last entry')),
                ('count', models.PositiveIntegerField(verbose_name='entries')),
                ('root', models.CharField(max_length=64, verbose_name='root')),
                ('previous', models.CharField(max_length=64, verbose_name='hash of the seal before')),
                ('hash', models.CharField(max_length=64, verbose_name='hash')),
                ('sealed_at', models.DateTimeField(verbose_name='sealed')),
            ],
            options={
                'verbose_name': 'seal of the audit log',
                'verbose_name_plural': 'seals of the audit log',
                'ordering': ['-number'],
            },
        ),
        migrations.CreateModel(
            name='SealCheck',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('last_error', models.TextField(blank=True, verbose_name='last error')),
                ('checked_at', models.DateTimeField(null=True, verbose_name='checked')),
                ('all_checked_at', models.DateTimeField(null=True, verbose_name='all checked')),
                ('number', models.BigIntegerField(default=0)),
                ('hash', models.CharField(default='0000000000000000000000000000000000000000000000000000000000000000', max_length=64)),
            ],
            options={
                'default_permissions': (),
            },
        ),
        migrations.CreateModel(
            name='SealedEntry',
            fields=[
                ('entry_id', models.BigIntegerField(primary_key=True, serialize=False)),
                ('leaf', models.BinaryField()),
            ],
            options={
                'default_permissions': (),
            },
        ),
        migrations.CreateModel(
            name='Unsealed',
            fields=[
                ('entry_id', models.BigIntegerField(primary_key=True, serialize=False)),
                ('since', models.DateTimeField()),
            ],
            options={
                'default_permissions': (),
            },
        ),
        migrations.CreateModel(
            name='Entry',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField(db_index=True, default=portal.core.clock.now, verbose_name='at')),
                ('actor', models.CharField(help_text="A user's name, or the part of the portal.", max_length=200, verbose_name='actor')),
                ('action', models.CharField(db_index=True, max_length=100, verbose_name='action')),
                ('object_type', models.CharField(max_length=100, verbose_name='kind of object')),
                ('object_id', models.CharField(max_length=200, verbose_name='object id')),
                ('object_label', models.CharField(max_length=300, verbose_name='object')),
                ('outcome', models.CharField(choices=[('done', 'done'), ('refused', 'refused'), ('failed', 'failed'), ('pending', 'pending approval')], max_length=20, verbose_name='outcome')),
                ('reasons', portal.core.problems.ProblemsField(verbose_name='reasons')),
                ('detail', models.JSONField(default=dict, verbose_name='detail')),
            ],
            options={
                'verbose_name': 'audit entry',
                'verbose_name_plural': 'audit entries',
                'ordering': ['-id'],
                'indexes': [models.Index(fields=['object_type', 'object_id', '-id'], name='audit_entry_object__e71c62_idx'), models.Index(fields=['outcome', '-at'], name='audit_entry_outcome_95b6db_idx')],
            },
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='entry',
            trigger=pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;", hash='1b389f8260e22d0fbf38b4ff1e20214212b176ee', operation='UPDATE OR DELETE', pgid='pgtrigger_append_only_a6b88', table='audit_entry', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='entry',
            trigger=pgtrigger.compiler.Trigger(name='never_emptied', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'The audit log is append-only: it cannot be emptied.';", hash='0c6b2fa634b2ed8fdbc0353d7d5d57014e28689f', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_never_emptied_6c9ae', table='audit_entry', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='entry',
            trigger=pgtrigger.compiler.Trigger(name='wait_for_seal', sql=pgtrigger.compiler.UpsertTriggerSql(func='INSERT INTO audit_unsealed (entry_id, since) VALUES (NEW.id, now()); RETURN NULL;', hash='53210e93ca82328fb2837454c96a2cfe5a441af3', operation='INSERT', pgid='pgtrigger_wait_for_seal_67abf', table='audit_entry', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='seal',
            trigger=pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;", hash='425da599b8e4cf7384a383a64e17697a9d08a345', operation='UPDATE OR DELETE', pgid='pgtrigger_append_only_4de12', table='audit_seal', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='seal',
            trigger=pgtrigger.compiler.Trigger(name='never_emptied', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'The seals of the audit log are append-only: they cannot be emptied.';", hash='dc797f145c92a9af495cb81eba3c9b755c76dc2c', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_never_emptied_aeb05', table='audit_seal', when='BEFORE')),
        ),
        migrations.AddField(
            model_name='sealedentry',
            name='seal',
            field=models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, to='audit.seal'),
        ),
        migrations.AddIndex(
            model_name='sealedentry',
            index=models.Index(fields=['seal', 'entry_id'], name='sealed_entries_of_a_seal'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='sealedentry',
            trigger=pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;", hash='67f8dc9adb40c28bacc1e31b3f580f087534402d', operation='UPDATE OR DELETE', pgid='pgtrigger_append_only_e5e59', table='audit_sealedentry', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='sealedentry',
            trigger=pgtrigger.compiler.Trigger(name='never_emptied', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'The seals of the audit log are append-only: they cannot be emptied.';", hash='15da80e610788cdbb618efa4eff72116ac44df54', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_never_emptied_960c4', table='audit_sealedentry', when='BEFORE')),
        ),
    ]
