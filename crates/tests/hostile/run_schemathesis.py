"""Calls every action of a real server's own description with what fits it and what does not (schemathesis).

ALDIS_BIN names the program. Whatever is sent: no HTTP 5xx, and every answer in the described shape and content type.
ALDIS_SCHEMATHESIS_SECONDS makes the run longer than a minute, ALDIS_SCHEMATHESIS_SEED another one.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request

ORGANIZATION = "o1"
CHECKS = "not_a_server_error,response_schema_conformance,content_type_conformance"
# Longer than anything may take on a busy machine.
PATIENCE_S = 30
# Calls that have to succeed in a run.
MIN_SUCCESSES = 100


def start(directory):
    """`aldis serve --no-auth` on fresh data and free ports, and where its API is."""
    out = pathlib.Path(directory, "out")
    command = [os.environ["ALDIS_BIN"], "serve", "--no-auth", "--data-dir", str(pathlib.Path(directory, "data"))]
    command += ["--http", "127.0.0.1:0", "--mqtt", "127.0.0.1:0"]
    with open(out, "wb") as stdout, open(pathlib.Path(directory, "log"), "wb") as stderr:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr)
    end = time.monotonic() + PATIENCE_S
    while not out.read_text().endswith("ready\n"):
        if process.poll() is not None or time.monotonic() > end:
            process.kill()
            raise SystemExit(f"the server is not ready:\n{pathlib.Path(directory, 'log').read_text()}")
        time.sleep(0.02)
    address = out.read_text().splitlines()[0].rsplit(" ", 1)[1]
    return process, f"http://{address}"


def call(url, path, action, body=None, **query):
    query = urllib.parse.urlencode({"action": action, "orgId": ORGANIZATION, **query})
    data = json.dumps(body or {}).encode()
    request = urllib.request.Request(f"{url}{path}?{query}", data, {"Content-Type": "application/json"}, method="POST")
    with urllib.request.urlopen(request, timeout=PATIENCE_S) as answered:
        answer = json.load(answered)
    if answer["code"] != 0:
        raise SystemExit(f"{action}: {answer}")
    return answer["data"]


def furnish(url):
    """One of everything, and its ids by the names of the parameters."""
    name = {"defaultValue": "n"}
    model = {
        "modelId": "m1",
        "name": name,
        "services": {"run": {"identifier": "run", "name": name, "inputData": [], "outputData": []}},
    }
    call(url, "/model-service/v2.1/thing-models", "create", model)
    product = {"productKey": "pk", "productName": name, "modelId": "m1", "productType": "Device"}
    product.update(dataFormat="Json", biDirectionalAuth=False)
    call(url, "/connect-service/v2.1/products", "create", product)
    device = {"productKey": "pk", "deviceKey": "dk", "timezone": "+00:00", "deviceName": name}
    asset = call(url, "/connect-service/v2.1/devices", "create", device)["assetId"]
    job = {
        "name": name,
        "desc": "",
        "targetScope": {"targetType": "DEVICE_LIST", "targetDevices": [{"productKey": "pk", "deviceKey": "dk"}]},
        "schedulePolicy": {"scheduleType": "DISPOSABLE"},
        "commandInfo": {"commandType": "SERVICE_INVOKE", "serviceInvokeInfo": {"serviceId": "run", "inputData": {}}},
    }
    commands = "/connect-service/v2.5/commands"
    job_id = call(url, commands, "createJob", job)
    (task,) = call(url, commands, "searchTask", {"expression": f"jobId = '{job_id}'"})
    known = {"orgId": ORGANIZATION, "modelId": "m1", "productKey": "pk", "deviceKey": "dk", "assetId": asset}
    return {**known, "jobId": job_id, "taskId": task["taskId"]}


def check(url, known, directory):
    codes = pathlib.Path(directory, "codes")
    environment = {
        **os.environ,
        "SCHEMATHESIS_HOOKS": "hooks",
        "PYTHONPATH": str(pathlib.Path(__file__).parent),
        "PYTHONDONTWRITEBYTECODE": "1",
        "ALDIS_CODES": str(codes),
        "ALDIS_KNOWN_IDS": ",".join(f"{name}={value}" for name, value in known.items()),
    }
    seconds = os.environ.get("ALDIS_SCHEMATHESIS_SECONDS", "60")
    seed = os.environ.get("ALDIS_SCHEMATHESIS_SEED", "1")
    program = pathlib.Path(sys.executable).with_name("schemathesis")
    command = [str(program), "run", f"{url}/openapi.json", "--checks", CHECKS, "--phases", "coverage,fuzzing"]
    command += ["--max-time", seconds, "--seed", seed, "--workers", "1", "--continue-on-failure", "--no-color"]
    command += ["--warnings", "off"]
    code = subprocess.run(command, env=environment, cwd=directory, check=False).returncode
    answered = json.loads(codes.read_text())
    print("answers by code:", answered)
    # A run whose calls are all refused at the door has tested nothing.
    if answered.get("0", 0) < MIN_SUCCESSES:
        print("too few calls succeeded", file=sys.stderr)
        return 1
    return code


def main():
    with tempfile.TemporaryDirectory() as directory:
        process, url = start(directory)
        try:
            code = check(url, furnish(url), directory)
            if process.poll() is not None:
                print("the server died", file=sys.stderr)
                code = 1
        finally:
            process.kill()
            process.wait()
        log = pathlib.Path(directory, "log").read_text()
        if "ERROR" in log or "panicked" in log:
            print(log, file=sys.stderr)
            code = 1
        return code


if __name__ == "__main__":
    sys.exit(main())
