-- What happened in one resource group, newest first, however much happened in others.
CREATE INDEX ON api.activity (subscription, group_key, at, id);
