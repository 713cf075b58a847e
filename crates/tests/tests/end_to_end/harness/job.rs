//! The body of a job, built field by field.

use aldis_simulator::DeviceIdentity;
use serde_json::{Value, json};

/// A job to be created. Without more it multiplies 6 by 7, at once, without waiting for absent devices.
#[derive(Debug, Clone)]
pub(crate) struct Plan(pub(crate) Value);

impl Plan {
    fn on(scope: Value) -> Self {
        Self(json!({
            "name": {"defaultValue": "a job"},
            "desc": "made by a test",
            "targetScope": scope,
            "schedulePolicy": {"scheduleType": "DISPOSABLE"},
            "commandInfo": {"commandType": "SERVICE_INVOKE",
                "serviceInvokeInfo": {"serviceId": "multiply", "inputData": {"left": 6, "right": 7}}},
        }))
    }

    /// For these devices.
    pub(crate) fn devices(devices: &[DeviceIdentity]) -> Self {
        let entry = |device: &DeviceIdentity| json!({"productKey": device.product_key, "deviceKey": device.device_key});
        Self::on(json!({"targetType": "DEVICE_LIST", "targetDevices": devices.iter().map(entry).collect::<Vec<_>>()}))
    }

    /// For one device.
    pub(crate) fn device(device: &DeviceIdentity) -> Self {
        Self::devices(std::slice::from_ref(device))
    }

    /// For all devices of a product.
    pub(crate) fn product(product_key: &str) -> Self {
        Self::on(json!({"targetType": "PRODUCT_KEY", "targetDevices": [{"productKey": product_key}]}))
    }

    /// Replies may take this many seconds.
    pub(crate) fn reply_within(self, seconds: u32) -> Self {
        self.with("/timeoutPolicy/inProgressTimeoutInSeconds", json!(seconds))
    }

    /// The command may wait for its device this many seconds.
    pub(crate) fn ttl(self, seconds: u32) -> Self {
        self.with("/timeoutPolicy/ttlTimeoutInSeconds", json!(seconds))
    }

    /// Failed tasks are tried again.
    pub(crate) fn retry(self, interval_s: u32, count: u32) -> Self {
        self.with(
            "/retryPolicy",
            json!({"enableRetry": true, "retryIntervalInSeconds": interval_s, "retryCount": count}),
        )
    }

    /// It triggers at this moment.
    pub(crate) fn at(self, trigger_ts: i64) -> Self {
        self.with(
            "/schedulePolicy/disposableSchedulePolicy",
            json!({"triggerTs": trigger_ts}),
        )
    }

    /// It sets a measurement point instead.
    pub(crate) fn sets(self, point: &str, value: Value) -> Self {
        self.with(
            "/commandInfo",
            json!({"commandType": "MEASUREPOINT_SET", "setMeasurepointInfo": {"measurepointId": point, "value": value}}),
        )
    }

    /// It invokes this service with this input instead.
    pub(crate) fn invokes(self, service: &str, input: Value) -> Self {
        self.with(
            "/commandInfo/serviceInvokeInfo",
            json!({"serviceId": service, "inputData": input}),
        )
    }

    /// The same with another value at this place; objects on the way are made.
    pub(crate) fn with(mut self, pointer: &str, value: Value) -> Self {
        let mut place = &mut self.0;
        for field in pointer.split('/').skip(1) {
            place = match field.parse::<usize>() {
                Ok(index) => &mut place[index],
                Err(_no_number) => &mut place[field],
            };
        }
        *place = value;
        self
    }

    /// The same without what is at this place.
    pub(crate) fn without(mut self, pointer: &str) -> Self {
        let (parent, field) = pointer.rsplit_once('/').unwrap();
        self.0
            .pointer_mut(parent)
            .unwrap()
            .as_object_mut()
            .unwrap()
            .remove(field);
        self
    }
}
