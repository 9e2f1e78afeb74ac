-- Who has which address of this machine's ranges: container groups, nodes and load balancers of clusters. Groups' own
-- columns stay as they are; their leases follow them.
CREATE TABLE instances.address_lease (
    host   text NOT NULL,
    range  smallint NOT NULL,           -- 0 public, 1 private
    index  integer NOT NULL,
    owner  text COLLATE "C" NOT NULL,   -- 'group/<id>', 'cluster/<id>/…'
    PRIMARY KEY (host, range, index),
    UNIQUE (owner, range, host)
);

INSERT INTO instances.address_lease
SELECT host, 0, public_index, 'group/' || id FROM instances.container_group WHERE public_index IS NOT NULL
UNION ALL SELECT host, 1, private_index, 'group/' || id FROM instances.container_group;

CREATE FUNCTION instances.lease_addresses_of_group() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        DELETE FROM instances.address_lease WHERE owner = 'group/' || OLD.id;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO instances.address_lease
        SELECT NEW.host, 0, NEW.public_index, 'group/' || NEW.id WHERE NEW.public_index IS NOT NULL
        UNION ALL SELECT NEW.host, 1, NEW.private_index, 'group/' || NEW.id;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER lease_addresses AFTER INSERT OR DELETE OR UPDATE OF host, public_index, private_index
    ON instances.container_group FOR EACH ROW EXECUTE FUNCTION instances.lease_addresses_of_group();
