import django.contrib.postgres.fields
import django.db.models.deletion
import pgtrigger.compiler
import pgtrigger.migrations
import portal.core.clock
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='ApiKey',
            fields=[
                ('id', models.CharField(editable=False, max_length=150, primary_key=True, serialize=False, unique=True)),
                ('prefix', models.CharField(editable=False, max_length=8, unique=True)),
                ('hashed_key', models.CharField(editable=False, max_length=150)),
                ('created', models.DateTimeField(auto_now_add=True, db_index=True)),
                ('name', models.CharField(default=None, help_text='A free-form name for the API key. Need not be unique. 50 characters max.', max_length=50)),
                ('revoked', models.BooleanField(blank=True, default=False, help_text='If the API key is revoked, clients cannot use it anymore. (This cannot be undone.)')),
                ('expiry_date', models.DateTimeField(blank=True, help_text='Once API key expires, clients cannot use it anymore.', null=True, verbose_name='Expires')),
                ('scopes', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(choices=[('read:cardholders', 'read cardholders'), ('write:cardholders', 'add, change and delete cardholders'), ('read:cards', 'read cards, their numbers masked'), ('read:card_numbers', 'see card numbers whole'), ('write:cards', 'give, change and take away cards'), ('read:access_levels', 'read access levels'), ('write:access_levels', 'put cardholders into access levels and take them out'), ('read:resources', 'read resources'), ('read:doors', 'read doors'), ('read:permissions', 'read which card may pass which door, and whether its controller knows')], max_length=30), size=None, verbose_name='scopes')),
            ],
            options={
                'verbose_name': 'API key',
                'verbose_name_plural': 'API keys',
                'ordering': ['-created'],
            },
        ),
        migrations.CreateModel(
            name='StoredResponse',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('idempotency_key', models.CharField(max_length=200)),
                ('request_digest', models.CharField(max_length=64)),
                ('status', models.PositiveSmallIntegerField()),
                ('body', models.TextField()),
                ('at', models.DateTimeField(db_index=True, default=portal.core.clock.now)),
            ],
        ),
        migrations.CreateModel(
            name='ApiKeyUse',
            fields=[
                ('key', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='use', serialize=False, to='api.apikey')),
                ('last_used_at', models.DateTimeField(verbose_name='last used')),
                ('minute', models.DateTimeField()),
                ('requests', models.PositiveIntegerField()),
            ],
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='apikey',
            trigger=pgtrigger.compiler.Trigger(name='audited', sql=pgtrigger.compiler.UpsertTriggerSql(declare='DECLARE detail JSONB; kept RECORD;', func='\n            detail := jsonb_strip_nulls(jsonb_build_object(\'prefix\', CASE WHEN OLD."prefix" IS DISTINCT FROM NEW."prefix" THEN jsonb_build_array(OLD."prefix", NEW."prefix") END,\n\'hashed_key\', CASE WHEN OLD."hashed_key" IS DISTINCT FROM NEW."hashed_key" THEN to_jsonb(\'changed\'::text) END,\n\'created\', CASE WHEN OLD."created" IS DISTINCT FROM NEW."created" THEN jsonb_build_array(OLD."created", NEW."created") END,\n\'name\', CASE WHEN OLD."name" IS DISTINCT FROM NEW."name" THEN jsonb_build_array(OLD."name", NEW."name") END,\n\'revoked\', CASE WHEN OLD."revoked" IS DISTINCT FROM NEW."revoked" THEN jsonb_build_array(OLD."revoked", NEW."revoked") END,\n\'expiry_date\', CASE WHEN OLD."expiry_date" IS DISTINCT FROM NEW."expiry_date" THEN jsonb_build_array(OLD."expiry_date", NEW."expiry_date") END,\n\'scopes\', CASE WHEN OLD."scopes" IS DISTINCT FROM NEW."scopes" THEN jsonb_build_array(OLD."scopes", NEW."scopes") END));\n            IF TG_OP = \'UPDATE\' AND detail = \'{}\' THEN\n                RETURN NULL;\n            ELSIF TG_OP = \'DELETE\' THEN\n                kept := OLD;\n            ELSE\n                kept := NEW;\n            END IF;\n            INSERT INTO audit_entry\n                (at, actor, action, object_type, object_id, object_label, outcome, reasons, detail)\n            VALUES (\n                clock_timestamp(), left(COALESCE(NULLIF(current_setting(\'pghistory.context_metadata\', true), \'\')::jsonb ->> \'actor\', (SELECT username FROM auth_user WHERE id = (NULLIF(current_setting(\'pghistory.context_metadata\', true), \'\')::jsonb ->> \'user\')::bigint), NULLIF(current_setting(\'portal.process\', true), \'\'), \'database:\' || session_user), 200),\n                \'api.apikey.\' || CASE TG_OP\n                    WHEN \'INSERT\' THEN \'added\' WHEN \'UPDATE\' THEN \'changed\' ELSE \'deleted\' END,\n                \'api.ApiKey\', kept.prefix, left(COALESCE(kept.name, \'\'), 300),\n                \'done\', \'[]\', detail\n            );\n            RETURN NULL;\n        ', hash='b88c91ccd49a9ee30bcb81116d021c3dfee0bcfe', operation='INSERT OR UPDATE OR DELETE', pgid='pgtrigger_audited_88379', table='api_apikey', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='apikey',
            trigger=pgtrigger.compiler.Trigger(name='never_emptied', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'The audit log would not know which rows are gone: use DELETE.';", hash='1b4c64b9562da6360dbbffde0076f1b979f8f77f', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_never_emptied_0f8f5', table='api_apikey', when='BEFORE')),
        ),
        migrations.AddField(
            model_name='storedresponse',
            name='key',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='api.apikey'),
        ),
        migrations.AddConstraint(
            model_name='storedresponse',
            constraint=models.UniqueConstraint(fields=('key', 'idempotency_key'), name='one_response_a_request'),
        ),
    ]
