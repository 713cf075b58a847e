"""The Python client that the vendor's samples call the API with (`enos-poseidon`), unmodified, against a server without
authentication: it builds a token of its own, which such a server does not look at, and signs nothing.

Each action that the vendor's sample programs use is called as they call it.
"""

import time
import unittest
import uuid

from poseidon import poseidon

from aldis_server import FINAL, PRODUCT, Server, eventually
from mqtt_device import Device

MODELS = "/model-service/v2.1/thing-models"
PRODUCTS = "/connect-service/v2.1/products"
DEVICES = "/connect-service/v2.1/devices"
TOPOLOGY = "/connect-service/v2.1/device-topos"
SINGLE = "/connect-service/v2.1/commands"
JOBS = "/connect-service/v2.5/commands"
POINTS = "/connect-service/v2.1/measurepoints"


class ApiClient(unittest.TestCase):
    def setUp(self):
        self.server = Server("--no-auth")
        self.addCleanup(self.server.close)
        key = self.server.admin_key()
        self.org, self.key, self.secret = key["orgId"], key["appKey"], key["appSecret"]

    def call(self, path, action, body=None, **query):
        """What a sample program gets: a GET without a body, a POST with one."""
        parameters = "".join(f"&{name}={value}" for name, value in query.items())
        url = f"http://{self.server.http}{path}?action={action}&orgId={self.org}{parameters}"
        answer = poseidon.urlopen(self.key, self.secret, url, body)
        self.assertIsInstance(answer, dict, f"{action}: {answer}")
        return answer

    def data(self, path, action, body=None, **query):
        answer = self.call(path, action, body, **query)
        self.assertEqual(answer["code"], 0, f"{action}: {answer}")
        return answer["data"]

    def furnish(self):
        def name(text):
            return {"defaultValue": text, "i18nValue": {"zh_CN": text}}

        inputs = [{"identifier": side, "name": name(side), "dataType": "INT"} for side in ("left", "right")]
        model = {
            "modelId": "m",
            "name": name("m"),
            "services": {"multiply": {"identifier": "multiply", "name": name("multiply"), "inputData": inputs, "outputData": []}},
            "measurepoints": {"temperature": {"identifier": "temperature", "name": name("t"), "dataType": "DOUBLE"}},
            "events": {"hot": {"identifier": "hot", "name": name("hot"), "tags": {"level": "high"}, "outputData": []}},
        }
        self.data(MODELS, "create", model)
        for key, kind in ((PRODUCT, "Device"), ("gateways", "Gateway")):
            product = {
                "productKey": key,
                "productName": name(key),
                "modelId": "m",
                "productType": kind,
                "dataFormat": "Json",
                "biDirectionalAuth": False,
            }
            self.data(PRODUCTS, "create", product)

    def register(self, key, product=PRODUCT):
        device = {"productKey": product, "deviceKey": key, "timezone": "+08:00", "deviceName": {"defaultValue": key}}
        return self.data(DEVICES, "create", device)

    def test_any_key_that_looks_like_one_is_taken_and_none_is_checked(self):
        self.key, self.secret = str(uuid.uuid4()), str(uuid.uuid4())
        self.assertEqual(self.data(MODELS, "search", {}), [])

    def test_models_and_products(self):
        self.furnish()
        self.assertEqual(self.data(MODELS, "get", modelId="m")["modelId"], "m")
        found = self.data(MODELS, "search", {"expression": "event_tags.level = 'high'", "pagination": {"pageNo": 1, "pageSize": 10}})
        self.assertEqual([model["modelId"] for model in found], ["m"])
        self.data(MODELS, "update", {"desc": "changed"}, modelId="m")
        self.data(PRODUCTS, "update", {"productDesc": "changed"}, productKey=PRODUCT)
        product = self.data(PRODUCTS, "get", productKey=PRODUCT)
        self.assertEqual((product["productDesc"], product["productName"]["defaultValue"]), ("changed", PRODUCT))
        self.assertEqual(len(self.data(PRODUCTS, "search", {"expression": "modelId = 'm'"})), 2)
        self.data(PRODUCTS, "delete", {}, productKey="gateways")
        self.assertEqual(self.call(PRODUCTS, "get", productKey="gateways")["code"], 11611)

    def test_devices(self):
        self.furnish()
        asset = self.register("d1")["assetId"]
        batch = [{"productKey": PRODUCT, "deviceKey": key, "timezone": "+08:00", "deviceName": {"defaultValue": key}} for key in "ab"]
        self.assertEqual([entry["code"] for entry in self.data(DEVICES, "batchCreate", {"deviceList": batch})], [0, 0])
        self.assertEqual(self.data(DEVICES, "get", assetId=asset)["deviceKey"], "d1")
        self.assertEqual(len(self.data(DEVICES, "search", {"expression": f"productKey = '{PRODUCT}'"})), 3)
        self.data(DEVICES, "update", {"deviceName": {"defaultValue": "new"}, "deviceTags": {"a": "1"}}, assetId=asset)
        self.data(DEVICES, "update", {"deviceDesc": "new"}, assetId=asset, isPatchUpdate="true")
        found = self.data(DEVICES, "get", assetId=asset)
        self.assertEqual((found["deviceName"]["defaultValue"], found["deviceTags"]), ("new", {"a": "1"}))
        whole = {"deviceName": {"defaultValue": "whole"}, "timezone": "+09:00"}
        self.data(DEVICES, "update", whole, assetId=asset, isPatchUpdate="false")
        found = self.data(DEVICES, "get", assetId=asset)
        self.assertEqual((found["deviceDesc"], found["deviceTags"], found["timezone"]), ("", {}, "+09:00"))
        self.data(DEVICES, "disable", {}, assetId=asset)
        stats = self.data(DEVICES, "getStats", productKey=PRODUCT)
        self.assertEqual((stats["totalCount"], stats["inactiveCount"], stats["disabledCount"]), (3, 2, 1))
        self.data(DEVICES, "enable", {}, assetId=asset)
        replaced = self.data(DEVICES, "replaceDevice", {"newDeviceKey": "d2"}, assetId=asset)
        self.assertEqual(replaced["deviceKey"], "d2")
        # Without a body, and so by GET, as the samples do.
        self.data(DEVICES, "delete", assetId=asset)
        self.assertEqual(self.call(DEVICES, "get", assetId=asset)["code"], 99404)

    def test_gateways(self):
        self.furnish()
        gateway = {"assetId": self.register("g", "gateways")["assetId"]}
        sub = {"assetId": self.register("d1")["assetId"]}
        self.data(TOPOLOGY, "addSubDevice", {"gateway": gateway, "subDevices": [sub]})
        found = self.data(TOPOLOGY, "searchSubDevice", {"gateway": gateway})
        self.assertEqual([device["deviceKey"] for device in found], ["d1"])
        self.assertEqual(self.data(TOPOLOGY, "getGateway", {"subDevice": sub})["deviceKey"], "g")
        self.data(TOPOLOGY, "removeSubDevice", {"gateway": gateway, "subDevices": [sub]})

    def test_jobs_tasks_and_single_commands(self):
        self.furnish()
        registered = self.register("d1")
        device = Device(self.server.mqtt, "d1", registered["deviceSecret"])
        self.addCleanup(device.close)
        device.came(device.connacks)
        job = self.data(JOBS, "createJob", self.job())
        message, command = device.command()
        device.answer(message, command, 1)
        self.assertEqual(self.ended(job)["status"], "SUCCEED")
        self.assertEqual(self.data(JOBS, "getJob", jobId=job)["jobId"], job)
        self.assertEqual(self.data(JOBS, "queryStatistics", {}, jobId=job)["succeed"], 1)
        self.assertEqual(len(self.data(JOBS, "searchJob", {})), 1)
        task = self.ended(job)["taskId"]
        self.assertEqual(self.data(JOBS, "getTask", taskId=task)["taskId"], task)
        self.assertEqual(self.data(JOBS, "retryTask", {"taskIds": [task]}, jobId=job)[0]["code"], 24621)
        self.data(JOBS, "deleteJob", {}, jobId=job)
        later = self.data(JOBS, "createJob", self.job(in_ms=3_600_000))
        waiting = self.data(JOBS, "searchTask", {"expression": f"jobId = '{later}'"})[0]["taskId"]
        self.assertEqual(self.data(JOBS, "cancelTask", {"taskIds": [waiting]}, jobId=later)[0]["code"], 0)

        keys = {"productKey": PRODUCT, "deviceKey": "d1"}
        kept = self.data(SINGLE, "setMeasurepoint", {"value": 21.5}, measurepointId="temperature", pendingTtl=60, **keys)
        message, command = device.command()
        device.answer(message, command, 1)
        command_id = kept["commandId"]
        eventually("the end of the command", lambda: self.data(SINGLE, "get", commandId=command_id)["state"] == 5 or None)
        self.assertEqual(len(self.data(SINGLE, "search", keys)), 1)
        sent = {"inputData": {"left": 6, "right": 7}}
        waits = self.data(SINGLE, "invokeService", sent, serviceId="multiply", pendingTtl=60, **keys)
        message, command = device.command()
        self.assertEqual(self.call(SINGLE, "cancel", {}, commandId=waits["commandId"], **keys)["code"], 24620)
        device.answer(message, command, 1)
        self.assertEqual(self.data(POINTS, "queryLatest", {}, **keys), [])

    def job(self, in_ms=None):
        at = None if in_ms is None else {"triggerTs": time.time_ns() // 1_000_000 + in_ms}
        return {
            "name": {"defaultValue": "from a sample"},
            "desc": "",
            "targetScope": {"targetType": "DEVICE_LIST", "targetDevices": [{"productKey": PRODUCT, "deviceKey": "d1"}]},
            "schedulePolicy": {"scheduleType": "DISPOSABLE", "disposableSchedulePolicy": at},
            "commandInfo": {
                "commandType": "SERVICE_INVOKE",
                "serviceInvokeInfo": {"serviceId": "multiply", "inputData": {"left": 6, "right": 7}},
            },
        }

    def ended(self, job):
        def final():
            (task,) = self.data(JOBS, "searchTask", {"expression": f"jobId = '{job}'"})
            return task if task["status"] in FINAL else None

        return eventually(f"the end of job {job}", final)


if __name__ == "__main__":
    unittest.main()
