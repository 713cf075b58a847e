"""The server under test as a process, and an operator that talks to it; standard library only.

ALDIS_BIN names the program. Calls are signed as docs/api.md, "Access", tells.
"""

import hashlib
import json
import os
import pathlib
import signal
import subprocess
import tempfile
import time
import urllib.parse
import urllib.request

# Longer than anything may take on a busy machine.
PATIENCE_S = 30
PRODUCT = "sdk-product"
GATEWAYS = "sdk-gateways"
# One whose devices may fetch their secret with the product's.
DYNAMIC = "sdk-dynamic"
MODEL = "sdk-model"
FINAL = {"SUCCEED", "FAILED", "CANCELLED", "RSP_TIMEOUT", "TTL_TIMEOUT"}


def eventually(what, look):
    """What `look` gives as soon as it is not None."""
    end = time.monotonic() + PATIENCE_S
    while True:
        seen = look()
        if seen is not None:
            return seen
        if time.monotonic() > end:
            raise AssertionError(f"waited in vain for {what}")
        time.sleep(0.02)


class Server:
    """`aldis serve` on fresh data and free ports."""

    def __init__(self, *flags):
        self._flags = flags
        self._base = tempfile.TemporaryDirectory()
        self._data = pathlib.Path(self._base.name, "data")
        self.http = self.mqtt = "127.0.0.1:0"
        self._runs = 0
        self.start()

    def start(self):
        self._runs += 1
        out = pathlib.Path(self._base.name, f"out-{self._runs}")
        command = [os.environ["ALDIS_BIN"], "serve", "--data-dir", self._data, "--http", self.http, "--mqtt", self.mqtt, *self._flags]
        with open(out, "wb") as stdout, open(self._log(), "ab") as stderr:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr)

        def ready():
            if self._process.poll() is not None:
                raise AssertionError(f"the server ended:\n{self._log().read_text()}")
            lines = out.read_text().splitlines()
            return lines if lines[-1:] == ["ready"] else None

        lines = eventually("the server", ready)
        self.http, self.mqtt, *rest = (line.rsplit(" ", 1)[1] for line in lines[:-1])
        self.mqtts = rest[0] if rest else None

    def hang_up(self):
        """Has certificates read again."""
        self._process.send_signal(signal.SIGHUP)

    def kill(self):
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def close(self):
        self._process.terminate()
        self._process.wait()
        self._base.cleanup()

    def admin_key(self):
        return json.loads(pathlib.Path(self._data, "admin-key.json").read_text())

    def _log(self):
        return pathlib.Path(self._base.name, "log")


def _sha256(*parts):
    return hashlib.sha256("".join(parts).encode()).hexdigest()


class Operator:
    """Signed calls with the first key."""

    def __init__(self, server):
        self._server = server
        self._key = server.admin_key()
        self._token = self._fetch_token()

    def call(self, path, action, body=None, **query):
        """The data of an answer, which has to be a success."""
        query = {"action": action, "orgId": self._key["orgId"], **query}
        text = "" if body is None else json.dumps(body)
        timestamp = str(time.time_ns() // 1_000_000)
        pairs = "".join(name + query[name] for name in sorted(query))
        headers = {
            "apim-accesstoken": self._token,
            "apim-timestamp": timestamp,
            "apim-signature": _sha256(self._token, pairs, text, timestamp, self._key["appSecret"]),
        }
        answer = self._send(f"{path}?{urllib.parse.urlencode(query)}", text, headers)
        if answer["code"] != 0:
            raise AssertionError(f"{action}: {answer}")
        return answer["data"]

    def command(self, action, body=None, **query):
        return self.call("/connect-service/v2.5/commands", action, {} if body is None else body, **query)

    def furnish(self):
        """A model with services and points, and products of devices and gateways."""

        def named(identifier, **rest):
            return {"identifier": identifier, "name": {"defaultValue": identifier}, **rest}

        inputs = [named(side, dataType="INT", required=True) for side in ("left", "right")]
        model = {
            "modelId": MODEL,
            "name": {"defaultValue": MODEL},
            "services": {"multiply": named("multiply", inputData=inputs, outputData=[])},
            "measurepoints": {"temperature": named("temperature", dataType="DOUBLE")},
        }
        self.call("/model-service/v2.1/thing-models", "create", model)
        self.create_product(PRODUCT, gatewayRegisterEnabled=True)
        self.create_product(GATEWAYS, productType="Gateway")
        self.create_product(DYNAMIC, dynamicActivateEnabled=True)

    def create_product(self, key, **rest):
        product = {
            "productKey": key,
            "productName": {"defaultValue": key},
            "modelId": MODEL,
            "productType": "Device",
            "dataFormat": "Json",
            "biDirectionalAuth": False,
            **rest,
        }
        self.call("/connect-service/v2.1/products", "create", product)

    def product_secret(self, key):
        return self.call("/connect-service/v2.1/products", "get", productKey=key)["productSecret"]

    def register(self, device_key, product=PRODUCT):
        """Registers a device and gives the secret that the server made for it."""
        device = {
            "productKey": product,
            "deviceKey": device_key,
            "timezone": "+00:00",
            "deviceName": {"defaultValue": device_key},
        }
        return self.call("/connect-service/v2.1/devices", "create", device)["deviceSecret"]

    def device(self, device_key, product=PRODUCT):
        return self.call("/connect-service/v2.1/devices", "get", productKey=product, deviceKey=device_key)

    def disable(self, device_key):
        self.call("/connect-service/v2.1/devices", "disable", {}, productKey=PRODUCT, deviceKey=device_key)

    def invoke(self, device_key, left=6, right=7, **timeouts):
        info = {"serviceId": "multiply", "inputData": {"left": left, "right": right}}
        return self._create(device_key, {"commandType": "SERVICE_INVOKE", "serviceInvokeInfo": info}, timeouts)

    def set_point(self, device_key, point, value, **timeouts):
        info = {"measurepointId": point, "value": value}
        return self._create(device_key, {"commandType": "MEASUREPOINT_SET", "setMeasurepointInfo": info}, timeouts)

    def _create(self, device_key, command, timeouts):
        job = {
            "name": {"defaultValue": "from the SDK tests"},
            "desc": "",
            "targetScope": {
                "targetType": "DEVICE_LIST",
                "targetDevices": [{"productKey": PRODUCT, "deviceKey": device_key}],
            },
            "schedulePolicy": {"scheduleType": "DISPOSABLE"},
            "timeoutPolicy": {"ttlTimeoutInSeconds": 60, **timeouts},
            "commandInfo": command,
        }
        return self.command("createJob", job)

    def task(self, job):
        """The only task of a job."""
        (task,) = self.command("searchTask", {"expression": f"jobId = '{job}'"})
        return task

    def ended(self, job):
        """The only task of a job once it has ended."""

        def final():
            task = self.task(job)
            return task if task["status"] in FINAL else None

        return eventually(f"the end of job {job}", final)

    def statistics(self, job):
        return self.command("queryStatistics", jobId=job)

    def _fetch_token(self):
        timestamp = str(time.time_ns() // 1_000_000)
        app_key = self._key["appKey"]
        encryption = _sha256(app_key, timestamp, self._key["appSecret"])
        body = json.dumps({"appKey": app_key, "encryption": encryption, "timestamp": timestamp})
        answer = self._send("/apim-token-service/v2.0/token/get", body, {})
        return answer["data"]["accessToken"]

    def _send(self, target, text, headers):
        headers = {"Content-Type": "application/json", **headers}
        url = f"http://{self._server.http}{target}"
        request = urllib.request.Request(url, data=text.encode(), headers=headers, method="POST")
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            return json.load(answer)
