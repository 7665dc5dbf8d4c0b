import django.contrib.auth.models
import django.db.models.deletion
import pgtrigger.compiler
import pgtrigger.migrations
import portal.core.clock
import portal.core.problems
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('auth', '0012_alter_user_first_name_max_length'),
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
                ('last_error', portal.core.problems.ProblemsField(verbose_name='last error')),
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
            name='AuditedGroup',
            fields=[
            ],
            options={
                'verbose_name': 'role',
                'proxy': True,
                'default_permissions': (),
                'indexes': [],
                'constraints': [],
            },
            bases=('auth.group',),
            managers=[
                ('objects', django.contrib.auth.models.GroupManager()),
            ],
        ),
        migrations.CreateModel(
            name='AuditedGroupPermission',
            fields=[
            ],
            options={
                'verbose_name': 'permission of the role',
                'proxy': True,
                'default_permissions': (),
                'indexes': [],
                'constraints': [],
            },
            bases=('auth.group_permissions',),
        ),
        migrations.CreateModel(
            name='AuditedUser',
            fields=[
            ],
            options={
                'verbose_name': 'user',
                'proxy': True,
                'default_permissions': (),
                'indexes': [],
                'constraints': [],
            },
            bases=('auth.user',),
            managers=[
                ('objects', django.contrib.auth.models.UserManager()),
            ],
        ),
        migrations.CreateModel(
            name='AuditedUserGroup',
            fields=[
            ],
            options={
                'verbose_name': 'role of the user',
                'proxy': True,
                'default_permissions': (),
                'indexes': [],
                'constraints': [],
            },
            bases=('auth.user_groups',),
        ),
        migrations.CreateModel(
            name='AuditedUserPermission',
            fields=[
            ],
            options={
                'verbose_name': 'permission of the user',
                'proxy': True,
                'default_permissions': (),
                'indexes': [],
                'constraints': [],
            },
            bases=('auth.user_user_permissions',),
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
        pgtrigger.migrations.AddTrigger(
            model_name='auditedgroup',
            trigger=pgtrigger.compiler.Trigger(name='audited', sql=pgtrigger.compiler.UpsertTriggerSql(declare='DECLARE detail JSONB; kept RECORD;', func='\n            detail := jsonb_strip_nulls(jsonb_build_object(\'name\', CASE WHEN OLD."name" IS DISTINCT FROM NEW."name" THEN jsonb_build_array(OLD."name", NEW."name") END));\n            IF TG_OP = \'UPDATE\' AND detail = \'{}\' THEN\n                RETURN NULL;\n            ELSIF TG_OP = \'DELETE\' THEN\n                kept := OLD;\n            ELSE\n                kept := NEW;\n            END IF;\n            INSERT INTO audit_entry\n                (at, actor, action, object_type, object_id, object_label, outcome, reasons, detail)\n            VALUES (\n                clock_timestamp(), left(COALESCE(NULLIF(current_setting(\'pghistory.context_metadata\', true), \'\')::jsonb ->> \'actor\', (SELECT username FROM auth_user WHERE id = (NULLIF(current_setting(\'pghistory.context_metadata\', true), \'\')::jsonb ->> \'user\')::bigint), NULLIF(current_setting(\'portal.process\', true), \'\'), \'database:\' || session_user), 200),\n                \'auth.group.\' || CASE TG_OP\n                    WHEN \'INSERT\' THEN \'added\' WHEN \'UPDATE\' THEN \'changed\' ELSE \'deleted\' END,\n                \'auth.Group\', kept."id"::text, left(COALESCE(kept.name, \'\'), 300),\n                \'done\', \'[]\', detail\n            );\n            RETURN NULL;\n        ', hash='d237085ae6ffff2e8efeacadb832c035d6b1fb3b', operation='INSERT OR UPDATE OR DELETE', pgid='pgtrigger_audited_143ab', table='auth_group', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='auditedgroup',
            trigger=pgtrigger.compiler.Trigger(name='never_emptied', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'The audit log would not know which rows are gone: use DELETE.';", hash='a4d5597a5dc274c0b037451ba88dad93b29efdd2', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_never_emptied_db661', table='auth_group', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='auditedgrouppermission',
            trigger=pgtrigger.compiler.Trigger(name='audited', sql=pgtrigger.compiler.UpsertTriggerSql(declare='DECLARE detail JSONB; kept RECORD;', func='\n            detail := jsonb_strip_nulls(jsonb_build_object(\'group\', CASE WHEN OLD."group_id" IS DISTINCT FROM NEW."group_id" THEN jsonb_build_array((SELECT target.name FROM "auth_group" target WHERE target."id" = OLD."group_id"), (SELECT target.name FROM "auth_group" target WHERE target."id" = NEW."group_id")) END,\n\'permission\', CASE WHEN OLD."permission_id" IS DISTINCT FROM NEW."permission_id" THEN jsonb_build_array(OLD."permission_id", NEW."permission_id") END));\n            IF TG_OP = \'UPDATE\' AND detail = \'{}\' THEN\n                RETURN NULL;\n            ELSIF TG_OP = \'DELETE\' THEN\n                kept := OLD;\n            ELSE\n                kept := NEW;\n            END IF;\n            INSERT INTO audit_entry\n                (at, actor, action, object_type, object_id, object_label, outcome, reasons, detail)\n            VALUES (\n                clock_timestamp(), left(COALESCE(NULLIF(current_setting(\'pghistory.context_metadata\', true), \'\')::jsonb ->> \'actor\', (SELECT username FROM auth_user WHERE id = (NULLIF(current_setting(\'pghistory.context_metadata\', true), \'\')::jsonb ->> \'user\')::bigint), NULLIF(current_setting(\'portal.process\', true), \'\'), \'database:\' || session_user), 200),\n                \'auth.group_permissions.\' || CASE TG_OP\n                    WHEN \'INSERT\' THEN \'added\' WHEN \'UPDATE\' THEN \'changed\' ELSE \'deleted\' END,\n                \'auth.Group_permissions\', kept."id"::text, left(COALESCE((SELECT named.name FROM auth_group named WHERE named.id = kept.group_id) || \': \' || (SELECT named.codename FROM auth_permission named WHERE named.id = kept.permission_id), \'\'), 300),\n                \'done\', \'[]\', detail\n            );\n            RETURN NULL;\n        ', hash='f6abbd371a53d19f7e03f55997687e06f041526c', operation='INSERT OR UPDATE OR DELETE', pgid='pgtrigger_audited_e5f32', table='auth_group_permissions', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='auditedgrouppermission',
            trigger=pgtrigger.compiler.Trigger(name='never_emptied', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'The audit log would not know which rows are gone: use DELETE.';", hash='d2480734411014444b8b65ee7367ae9448969470', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_never_emptied_34b04', table='auth_group_permissions', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='auditeduser',
            trigger=pgtrigger.compiler.Trigger(name='audited', sql=pgtrigger.compiler.UpsertTriggerSql(declare='DECLARE detail JSONB; kept RECORD;', func='\n            detail := jsonb_strip_nulls(jsonb_build_object(\'password\', CASE WHEN OLD."password" IS DISTINCT FROM NEW."password" THEN to_jsonb(\'changed\'::text) END,\n\'is_superuser\', CASE WHEN OLD."is_superuser" IS DISTINCT FROM NEW."is_superuser" THEN jsonb_build_array(OLD."is_superuser", NEW."is_superuser") END,\n\'username\', CASE WHEN OLD."username" IS DISTINCT FROM NEW."username" THEN jsonb_build_array(OLD."username", NEW."username") END,\n\'first_name\', CASE WHEN OLD."first_name" IS DISTINCT FROM NEW."first_name" THEN jsonb_build_array(OLD."first_name", NEW."first_name") END,\n\'last_name\', CASE WHEN OLD."last_name" IS DISTINCT FROM NEW."last_name" THEN jsonb_build_array(OLD."last_name", NEW."last_name") END,\n\'email\', CASE WHEN OLD."email" IS DISTINCT FROM NEW."email" THEN jsonb_build_array(OLD."email", NEW."email") END,\n\'is_staff\', CASE WHEN OLD."is_staff" IS DISTINCT FROM NEW."is_staff" THEN jsonb_build_array(OLD."is_staff", NEW."is_staff") END,\n\'is_active\', CASE WHEN OLD."is_active" IS DISTINCT FROM NEW."is_active" THEN jsonb_build_array(OLD."is_active", NEW."is_active") END,\n\'date_joined\', CASE WHEN OLD."date_joined" IS DISTINCT FROM NEW."date_joined" THEN jsonb_build_array(OLD."date_joined", NEW."date_joined") END));\n            IF TG_OP = \'UPDATE\' AND detail = \'{}\' THEN\n                RETURN NULL;\n            ELSIF TG_OP = \'DELETE\' THEN\n                kept := OLD;\n            ELSE\n                kept := NEW;\n            END IF;\n            INSERT INTO audit_entry\n                (at, actor, action, object_type, object_id, object_label, outcome, reasons, detail)\n            VALUES (\n                clock_timestamp(), left(COALESCE(NULLIF(current_setting(\'pghistory.context_metadata\', true), \'\')::jsonb ->> \'actor\', (SELECT username FROM auth_user WHERE id = (NULLIF(current_setting(\'pghistory.context_metadata\', true), \'\')::jsonb ->> \'user\')::bigint), NULLIF(current_setting(\'portal.process\', true), \'\'), \'database:\' || session_user), 200),\n                \'auth.user.\' || CASE TG_OP\n                    WHEN \'INSERT\' THEN \'added\' WHEN \'UPDATE\' THEN \'changed\' ELSE \'deleted\' END,\n                \'auth.User\', kept."id"::text, left(COALESCE(kept.username, \'\'), 300),\n                \'done\', \'[]\', detail\n            );\n            RETURN NULL;\n        ', hash='66501729d4d76580733bdfd55bfbe61d72148bdf', operation='INSERT OR UPDATE OR DELETE', pgid='pgtrigger_audited_275c3', table='auth_user', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='auditeduser',
            trigger=pgtrigger.compiler.Trigger(name='never_emptied', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'The audit log would not know which rows are gone: use DELETE.';", hash='f7b6bcc7cf1aaa68313b43624ff6a0f572a27465', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_never_emptied_f106b', table='auth_user', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='auditedusergroup',
            trigger=pgtrigger.compiler.Trigger(name='audited', sql=pgtrigger.compiler.UpsertTriggerSql(declare='DECLARE detail JSONB; kept RECORD;', func='\n            detail := jsonb_strip_nulls(jsonb_build_object(\'user\', CASE WHEN OLD."user_id" IS DISTINCT FROM NEW."user_id" THEN jsonb_build_array((SELECT target.username FROM "auth_user" target WHERE target."id" = OLD."user_id"), (SELECT target.username FROM "auth_user" target WHERE target."id" = NEW."user_id")) END,\n\'group\', CASE WHEN OLD."group_id" IS DISTINCT FROM NEW."group_id" THEN jsonb_build_array((SELECT target.name FROM "auth_group" target WHERE target."id" = OLD."group_id"), (SELECT target.name FROM "auth_group" target WHERE target."id" = NEW."group_id")) END));\n            IF TG_OP = \'UPDATE\' AND detail = \'{}\' THEN\n                RETURN NULL;\n            ELSIF TG_OP = \'DELETE\' THEN\n                kept := OLD;\n            ELSE\n                kept := NEW;\n            END IF;\n            INSERT INTO audit_entry\n                (at, actor, action, object_type, object_id, object_label, outcome, reasons, detail)\n            VALUES (\n                clock_timestamp(), left(COALESCE(NULLIF(current_setting(\'pghistory.context_metadata\', true), \'\')::jsonb ->> \'actor\', (SELECT username FROM auth_user WHERE id = (NULLIF(current_setting(\'pghistory.context_metadata\', true), \'\')::jsonb ->> \'user\')::bigint), NULLIF(current_setting(\'portal.process\', true), \'\'), \'database:\' || session_user), 200),\n                \'auth.user_groups.\' || CASE TG_OP\n                    WHEN \'INSERT\' THEN \'added\' WHEN \'UPDATE\' THEN \'changed\' ELSE \'deleted\' END,\n                \'auth.User_groups\', kept."id"::text, left(COALESCE((SELECT named.username FROM auth_user named WHERE named.id = kept.user_id) || \': \' || (SELECT named.name FROM auth_group named WHERE named.id = kept.group_id), \'\'), 300),\n                \'done\', \'[]\', detail\n            );\n            RETURN NULL;\n        ', hash='c637ba1d4fdc7fd127193c986f17055d95bf9024', operation='INSERT OR UPDATE OR DELETE', pgid='pgtrigger_audited_fa3ec', table='auth_user_groups', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='auditedusergroup',
            trigger=pgtrigger.compiler.Trigger(name='never_emptied', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'The audit log would not know which rows are gone: use DELETE.';", hash='65abb4b205b302bcfba711c541d355d77d4b4780', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_never_emptied_db8bb', table='auth_user_groups', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='auditeduserpermission',
            trigger=pgtrigger.compiler.Trigger(name='audited', sql=pgtrigger.compiler.UpsertTriggerSql(declare='DECLARE detail JSONB; kept RECORD;', func='\n            detail := jsonb_strip_nulls(jsonb_build_object(\'user\', CASE WHEN OLD."user_id" IS DISTINCT FROM NEW."user_id" THEN jsonb_build_array((SELECT target.username FROM "auth_user" target WHERE target."id" = OLD."user_id"), (SELECT target.username FROM "auth_user" target WHERE target."id" = NEW."user_id")) END,\n\'permission\', CASE WHEN OLD."permission_id" IS DISTINCT FROM NEW."permission_id" THEN jsonb_build_array(OLD."permission_id", NEW."permission_id") END));\n            IF TG_OP = \'UPDATE\' AND detail = \'{}\' THEN\n                RETURN NULL;\n            ELSIF TG_OP = \'DELETE\' THEN\n                kept := OLD;\n            ELSE\n                kept := NEW;\n            END IF;\n            INSERT INTO audit_entry\n                (at, actor, action, object_type, object_id, object_label, outcome, reasons, detail)\n            VALUES (\n                clock_timestamp(), left(COALESCE(NULLIF(current_setting(\'pghistory.context_metadata\', true), \'\')::jsonb ->> \'actor\', (SELECT username FROM auth_user WHERE id = (NULLIF(current_setting(\'pghistory.context_metadata\', true), \'\')::jsonb ->> \'user\')::bigint), NULLIF(current_setting(\'portal.process\', true), \'\'), \'database:\' || session_user), 200),\n                \'auth.user_user_permissions.\' || CASE TG_OP\n                    WHEN \'INSERT\' THEN \'added\' WHEN \'UPDATE\' THEN \'changed\' ELSE \'deleted\' END,\n                \'auth.User_user_permissions\', kept."id"::text, left(COALESCE((SELECT named.username FROM auth_user named WHERE named.id = kept.user_id) || \': \' || (SELECT named.codename FROM auth_permission named WHERE named.id = kept.permission_id), \'\'), 300),\n                \'done\', \'[]\', detail\n            );\n            RETURN NULL;\n        ', hash='d5120412cb2c2ab61642685dadc1df2521d8fa0f', operation='INSERT OR UPDATE OR DELETE', pgid='pgtrigger_audited_85eb7', table='auth_user_user_permissions', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='auditeduserpermission',
            trigger=pgtrigger.compiler.Trigger(name='never_emptied', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'The audit log would not know which rows are gone: use DELETE.';", hash='6fa64b96433f249cd5f75721785ca83f39f1494e', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_never_emptied_de838', table='auth_user_user_permissions', when='BEFORE')),
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
