-- How commands are sent to the devices of a product: 1 until somebody says otherwise.
ALTER TABLE product ADD COLUMN command_qos INTEGER NOT NULL DEFAULT 1;
