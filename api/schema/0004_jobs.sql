-- Jobs (api/job.h): a subscription with a principal and a registry of its own, deleted as one.
CREATE TABLE api.job (
    name         text PRIMARY KEY,
    subscription text NOT NULL UNIQUE REFERENCES api.subscription ON DELETE CASCADE,
    application  text NOT NULL,                -- object id
    app_id       text NOT NULL,
    registry     text NOT NULL,
    deleting     boolean NOT NULL DEFAULT false,
    created      timestamptz NOT NULL DEFAULT now(),
    ends         timestamptz                   -- it is deleted by itself then
);
CREATE INDEX ON api.job (ends) WHERE ends IS NOT NULL;

-- What is said of a subscription goes with it; resource groups are taken apart before.
DO $$
DECLARE
    k record;
BEGIN
    FOR k IN SELECT conname, conrelid::regclass AS child FROM pg_constraint
              WHERE confrelid = 'api.subscription'::regclass AND confdeltype = 'a'
                AND conrelid <> 'api.resource_group'::regclass
    LOOP
        EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I, ADD CONSTRAINT %I'
                       ' FOREIGN KEY (subscription) REFERENCES api.subscription ON DELETE CASCADE',
                       k.child, k.conname, k.conname);
    END LOOP;
END $$;
