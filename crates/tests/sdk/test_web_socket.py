"""Devices that speak MQTT in a WebSocket, on the ports where all others speak it."""

import json
import os
import pathlib
import subprocess
import tempfile
import unittest
import urllib.error
import urllib.request

import paho.mqtt.client as mqtt

from aldis_server import PRODUCT, Operator, Server, eventually
from mqtt_device import Device

NOT_AUTHORIZED = 5


class WebSocket(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        base = tempfile.TemporaryDirectory()
        cls.addClassCleanup(base.cleanup)
        cls.certs = pathlib.Path(base.name)
        for what in ("ca", "server"):
            command = [os.environ["ALDIS_BIN"], "cert", what, "--dir", cls.certs]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        files = {"cert": "server.pem", "key": "server-key.pem"}
        flags = [word for name, file in files.items() for word in (f"--tls-{name}-file", cls.certs / file)]
        cls.server = Server("--mqtts", "127.0.0.1:0", *flags)
        cls.addClassCleanup(cls.server.close)
        cls.operator = Operator(cls.server)
        cls.operator.furnish()

    def device(self, key, secret=None, address=None, path="/mqtt", version=mqtt.MQTTv311, **rest):
        secret = secret or self.operator.register(key)
        device = Device(address or self.server.mqtt, key, secret, version=version, web_socket=path, **rest)
        self.addCleanup(device.close)
        return device

    def carries_out_a_command(self, device):
        self.assertEqual(device.came(device.connacks)[1], 0)
        job = self.operator.invoke(device.key)
        message, command = device.command()
        self.assertEqual(message.qos, 1)
        device.answer(message, command)
        self.assertEqual(self.operator.ended(job)["taskResult"]["outputData"], {"product": 42})

    def test_both_versions_carry_out_commands_whatever_the_path(self):
        self.carries_out_a_command(self.device("three"))
        self.carries_out_a_command(self.device("five", path="/", version=mqtt.MQTTv5))

    def test_web_socket_without_or_with_the_old_subprotocol_is_accepted(self):
        for key, subprotocol in (("none", None), ("old", "mqttv3.1"), ("listed", "chat, mqttv3.1")):
            with self.subTest(key):
                self.carries_out_a_command(self.device(key, subprotocol=subprotocol))

    def test_a_device_that_speaks_mqtt_3_1_carries_out_commands(self):
        self.carries_out_a_command(self.device("older", version=mqtt.MQTTv31, subprotocol="mqttv3.1"))
        secret = self.operator.register("oldest")
        device = Device(self.server.mqtt, "oldest", secret, version=mqtt.MQTTv31)
        self.addCleanup(device.close)
        self.carries_out_a_command(device)

    def test_a_web_socket_under_tls_is_as_good(self):
        host, port = self.server.mqtts.rsplit(":", 1)
        self.assertEqual(host, "127.0.0.1")
        device = self.device("secured", address=f"localhost:{port}", ca=str(self.certs / "ca.pem"))
        self.carries_out_a_command(device)

    def test_posts_of_any_size_are_answered(self):
        device = self.device("d1")
        device.came(device.connacks)
        topic = f"/sys/{PRODUCT}/d1/thing/measurepoint/post"
        device.client.subscribe(f"{topic}_reply", qos=1)
        self.assertEqual(device.came(device.granted), [1])
        for size in (1, 60_000, 500_000):
            points = {"temperature": 21.5, "text": "x" * size}
            post = {"id": str(size), "version": "1.0", "params": {"measurepoints": points}}
            device.client.publish(topic, json.dumps(post), qos=1)
            device.came(device.published)
            _, answer = device.command()
            self.assertEqual((answer["id"], answer["code"]), (str(size), 200))

    def test_a_wrong_secret_is_refused(self):
        self.operator.register("d2")
        device = self.device("d2", secret="another")
        self.assertEqual(device.came(device.connacks)[1], NOT_AUTHORIZED)

    def test_what_waits_is_delivered_when_the_device_comes(self):
        secret = self.operator.register("d3")
        job = self.operator.invoke("d3")
        device = self.device("d3", secret)
        message, command = device.command()
        device.answer(message, command)
        self.assertEqual(self.operator.ended(job)["status"], "SUCCEED")
        device.close()
        eventually("its end", lambda: self.operator.device("d3")["status"] == "offline" or None)

    def test_whoever_wants_anything_else_of_http_is_told_what_is_here(self):
        mqtt_only = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
        key = {"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
        for headers in ({}, mqtt_only, {**mqtt_only, **key}, {**mqtt_only, **key, "Sec-WebSocket-Protocol": "chat, wamp"}):
            request = urllib.request.Request(f"http://{self.server.mqtt}/mqtt", headers=headers)
            with self.assertRaises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(request)
            self.assertEqual(refused.exception.code, 400)
            self.assertIn(b"MQTT in a WebSocket", refused.exception.read())


if __name__ == "__main__":
    unittest.main()
