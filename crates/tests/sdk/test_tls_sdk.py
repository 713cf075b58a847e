"""The vendor's Python device SDK under TLS, with a client certificate: its API wants one always."""

import logging
import os
import pathlib
import subprocess
import tempfile
import unittest

from enos.core.MqttClient import MqttClient
from enos.message.downstream.tsl.ServiceInvocationCommand import ServiceInvocationCommand
from enos.message.upstream.tsl.MeasurepointPostRequest import MeasurepointPostRequest

from aldis_server import PRODUCT, Operator, Server, eventually
from test_device_sdk import multiply

logging.getLogger("enos").setLevel(logging.CRITICAL)


class TlsSdk(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        base = tempfile.TemporaryDirectory()
        cls.addClassCleanup(base.cleanup)
        cls.certs = pathlib.Path(base.name, "certs")
        cls.cert("ca")
        cls.cert("server")
        files = {"cert": "server.pem", "key": "server-key.pem", "client-ca": "ca.pem", "client-crl": "revoked.pem"}
        flags = [word for name, file in files.items() for word in (f"--tls-{name}-file", cls.certs / file)]
        cls.server = Server("--mqtts", "127.0.0.1:0", *flags)
        cls.addClassCleanup(cls.server.close)
        cls.operator = Operator(cls.server)
        cls.operator.furnish()

    @classmethod
    def cert(cls, *words):
        command = [os.environ["ALDIS_BIN"], "cert", *words, "--dir", cls.certs]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    def client(self, device, certificate_of=None):
        """A client of a device, with its own certificate or another's."""
        secret = self.operator.register(device)
        name = f"{PRODUCT}.{certificate_of or device}"
        if not (self.certs / f"{name}.pem").exists():
            self.cert("device", name.replace(".", "/", 1))
        client = MqttClient(f"ssl://{self.server.mqtts}", PRODUCT, device, secret)
        files = (str(self.certs / file) for file in ("ca.pem", f"{name}.pem", f"{name}-key.pem"))
        client.get_profile().set_ssl_context(*files, None)
        client.get_profile().set_auto_reconnect(False)
        self.addCleanup(client.close)
        return client

    def status(self, device):
        return self.operator.device(device)["status"]

    def test_commands_and_posts_go_under_tls(self):
        client = self.client("d1")
        client.register_arrived_message_handler(ServiceInvocationCommand.get_class(), multiply)
        client.connect()
        self.assertTrue(client.is_connected())
        task = self.operator.ended(self.operator.invoke("d1"))
        self.assertEqual(task["status"], "SUCCEED")
        post = MeasurepointPostRequest.builder().add_measurepoint("temperature", 21.5).build()
        self.assertEqual(client.publish(post).get_code(), 200)

    def test_another_devices_certificate_lets_nobody_in(self):
        client = self.client("d2", certificate_of="d1")
        client.connect()
        self.assertFalse(client.is_connected())
        self.assertEqual(self.status("d2"), "inactive")

    def test_a_revoked_certificate_ends_the_connection(self):
        client = self.client("d3")
        client.connect()
        self.assertTrue(client.is_connected())
        self.cert("revoke", self.certs / f"{PRODUCT}.d3.pem")
        self.server.hang_up()
        eventually("the end", lambda: True if self.status("d3") == "offline" else None)


if __name__ == "__main__":
    unittest.main()
