-- Which gateway a device is under, for those that are under one.
CREATE TABLE sub_device (
    device  INTEGER PRIMARY KEY,
    gateway INTEGER NOT NULL
) STRICT;
CREATE INDEX sub_device_gateway ON sub_device (gateway);
