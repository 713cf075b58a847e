-- A secret that was replaced and is still good until a moment; sealed.
ALTER TABLE product ADD COLUMN former_secret BLOB;
ALTER TABLE product ADD COLUMN former_secret_until INTEGER;
ALTER TABLE device ADD COLUMN former_secret BLOB;
ALTER TABLE device ADD COLUMN former_secret_until INTEGER;
-- Whether gateways may register devices in a product, and which gateway registered a device.
ALTER TABLE product ADD COLUMN gateway_registers INTEGER NOT NULL DEFAULT 0;
ALTER TABLE device ADD COLUMN registered_by INTEGER;
CREATE INDEX device_registered_by ON device (registered_by) WHERE registered_by IS NOT NULL AND deleted = 0;
-- Where the request of an action came from; and what was done in an organization, in order.
ALTER TABLE action ADD COLUMN address TEXT;
CREATE INDEX action_org ON action (org, at);
