#!/usr/bin/env python3
"""A complete small device: a valve that can be opened. Needs paho-mqtt 2 (`pip install paho-mqtt`).

    examples/devices/valve.py PRODUCT_KEY DEVICE_KEY DEVICE_SECRET [HOST [PORT]]
"""

import hashlib
import json
import sys
import time

import paho.mqtt.client as mqtt

product, device, secret = sys.argv[1:4]
host = sys.argv[4] if len(sys.argv) > 4 else "127.0.0.1"
port = int(sys.argv[5]) if len(sys.argv) > 5 else 11883
own = f"/sys/{product}/{device}"
# Ids of commands that were carried out, with their replies: a command that comes again gets the same reply.
done = {}


def login():
    """Client id, user name and password."""
    stamp = str(int(time.time() * 1000))
    content = f"clientId{device}deviceKey{device}productKey{product}timestamp{stamp}{secret}"
    password = hashlib.sha256(content.encode()).hexdigest()
    return f"{device}|securemode=2,signmethod=sha256,timestamp={stamp}|", f"{device}&{product}", password


def carry_out(service, params):
    """The code and the data of the reply: 200 is success, any other code is this device's own error code."""
    if service != "open":
        return 404, {}, f"no such service: {service}"
    print("opening to", params["percent"], "%", flush=True)
    return 200, {}, ""


def on_message(client, _userdata, message):
    if message.topic.endswith("_reply"):
        return  # the answer to a report of this device
    command = json.loads(message.payload)
    if command["id"] not in done:
        service = message.topic.rsplit("/", 1)[-1]
        code, data, text = carry_out(service, command["params"])
        done[command["id"]] = json.dumps({"id": command["id"], "code": code, "data": data, "message": text})
    client.publish(message.topic + "_reply", done[command["id"]], qos=1)


def on_connect(client, _userdata, _flags, reason, _properties):
    print("connected" if reason == 0 else f"refused: {reason}", flush=True)
    # Values that the device reports; the answer comes on the same topic with _reply.
    report = {
        "id": "1",
        "version": "1.0",
        "method": "thing.measurepoint.post",
        "params": {"measurepoints": {"setpoint": 0}},
    }
    client.publish(f"{own}/thing/measurepoint/post", json.dumps(report), qos=1)


client_id, user, password = login()
client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=client_id, protocol=mqtt.MQTTv311)
client.username_pw_set(user, password)
client.on_connect, client.on_message = on_connect, on_message
# One more second after each failure, at most a minute: a fleet that comes back does not come all at once.
client.reconnect_delay_set(min_delay=1, max_delay=60)
client.connect(host, port, keepalive=60)
client.loop_forever()
