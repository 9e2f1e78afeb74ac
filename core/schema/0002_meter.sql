-- Figures over time of what resources use and do; see core/meter.h.
CREATE TABLE core.meter (
    id         int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    resource   text COLLATE "C" NOT NULL,   -- the resource id in lower case
    metric     text COLLATE "C" NOT NULL,   -- "CpuUsage"
    dimensions text COLLATE "C" NOT NULL,   -- values, "/" between; '': none
    UNIQUE (resource, metric, dimensions)
);

CREATE TABLE core.meter_minute (
    meter  int NOT NULL REFERENCES core.meter ON DELETE CASCADE,
    minute int NOT NULL,                    -- since 1970
    n      int NOT NULL,                    -- samples
    sum    float8 NOT NULL,
    least  float8 NOT NULL,
    most   float8 NOT NULL,
    PRIMARY KEY (meter, minute)
);
CREATE INDEX meter_minute_age ON core.meter_minute USING brin (minute);
