"""The vendor's Python device SDK as a gateway with sub-devices, unmodified, against the real server."""

import logging
import unittest

from enos.core.MqttClient import MqttClient
from enos.core.util.StringI18n import StringI18n
from enos.message.downstream.device.SubDeviceDisableCommand import SubDeviceDisableCommand
from enos.message.downstream.device.SubDeviceDisableReply import SubDeviceDisableReply
from enos.message.downstream.tsl.MeasurepointSetCommand import MeasurepointSetCommand
from enos.message.downstream.tsl.MeasurepointSetReply import MeasurepointSetReply
from enos.message.downstream.tsl.ServiceInvocationCommand import ServiceInvocationCommand
from enos.message.downstream.tsl.ServiceInvocationReply import ServiceInvocationReply
from enos.message.upstream.register.DeviceRegisterRequest import DeviceRegisterRequest
from enos.message.upstream.status.SubDeviceLoginBatchRequest import SubDeviceLoginBatchRequest
from enos.message.upstream.status.SubDeviceLoginRequest import SubDeviceLoginRequest
from enos.message.upstream.status.SubDeviceLogoutRequest import SubDeviceLogoutRequest
from enos.message.upstream.topo.SubDeviceInfo import SubDeviceInfo
from enos.message.upstream.topo.TopoAddRequest import TopoAddRequest
from enos.message.upstream.topo.TopoDeleteRequest import TopoDeleteRequest
from enos.message.upstream.topo.TopoGetRequest import TopoGetRequest
from enos.message.upstream.tsl.MeasurepointPostRequest import MeasurepointPostRequest

from aldis_server import GATEWAYS, PRODUCT, Operator, Server, eventually

logging.getLogger("enos").setLevel(logging.CRITICAL)


class GatewaySdk(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        cls.addClassCleanup(cls.server.close)
        cls.operator = Operator(cls.server)
        cls.operator.furnish()

    def setUp(self):
        self.key = self.id().rsplit(".", 1)[1].replace("test_", "")[:50]
        self.seen = []
        secret = self.operator.register(self.key, GATEWAYS)
        client = MqttClient(f"tcp://{self.server.mqtt}", GATEWAYS, self.key, secret)
        client.get_profile().set_auto_reconnect(True)
        client.get_profile().set_auto_reconnect_min_sec(1)
        client.get_profile().set_auto_reconnect_max_sec(1)
        self.addCleanup(client.close)
        client.register_arrived_message_handler(ServiceInvocationCommand.get_class(), self.multiply)
        client.connect()
        self.client = client

    def multiply(self, command, args):
        """The keys of the device that a command is for are the first two arguments."""
        params = command.get_params()
        self.seen.append(args[:2])
        reply = ServiceInvocationReply.builder().add_output_data("product", params["left"] * params["right"])
        return reply.set_code(200).build()

    def sub_device(self, name):
        """Registers a device, and puts it under this gateway as the gateway itself does it."""
        key = f"{self.key}-{name}"
        secret = self.operator.register(key)
        self.ask(TopoAddRequest.builder().add_sub_device(SubDeviceInfo(PRODUCT, key, secret)))
        return key, secret

    def ask(self, builder):
        response = self.client.publish(builder.build())
        self.assertIsNotNone(response)
        self.assertEqual(str(response.get_code()), "200", response.__dict__)
        return response

    def login(self, key, secret):
        return self.ask(SubDeviceLoginRequest.builder().set_sub_device_info(PRODUCT, key, secret))

    def await_status(self, key, wanted):
        eventually(f"{key} being {wanted}", lambda: True if self.operator.device(key)["status"] == wanted else None)

    def test_topology(self):
        key, _ = self.sub_device("s")
        found = self.ask(TopoGetRequest.builder()).get_data()
        self.assertEqual(found, [{"productKey": PRODUCT, "deviceKey": key}])
        self.ask(TopoDeleteRequest.builder().delete_sub_device(PRODUCT, key))
        self.assertEqual(self.ask(TopoGetRequest.builder()).get_data(), [])

    def test_login_and_logout(self):
        key, secret = self.sub_device("s")
        self.login(key, secret)
        self.assertEqual(self.operator.device(key)["status"], "online")
        self.ask(SubDeviceLogoutRequest.builder().set_sub_product_key(PRODUCT).set_sub_device_key(key))
        self.assertEqual(self.operator.device(key)["status"], "offline")

    def test_login_in_a_batch(self):
        first, second = self.sub_device("s1"), self.sub_device("s2")
        batch = SubDeviceLoginBatchRequest.builder()
        for key, secret in (first, second):
            batch.add_sub_device_info(PRODUCT, key, secret)
        self.ask(batch)
        for key, _ in (first, second):
            self.assertEqual(self.operator.device(key)["status"], "online")

    def test_commands_reach_sub_devices(self):
        def take(command, _args):
            return MeasurepointSetReply.builder().set_code(200).build()

        self.client.register_arrived_message_handler(MeasurepointSetCommand.get_class(), take)
        devices = [self.sub_device(name) for name in ("s1", "s2")]
        for key, secret in devices:
            self.login(key, secret)
        jobs = [self.operator.invoke(key, 6, 7) for key, _ in devices]
        for job in jobs:
            task = self.operator.ended(job)
            self.assertEqual((task["status"], task["taskResult"]["outputData"]), ("SUCCEED", {"product": 42}))
        self.assertEqual(sorted(key for _, key in self.seen), sorted(key for key, _ in devices))
        self.assertEqual(self.operator.ended(self.operator.set_point(devices[0][0], "temperature", 1))["status"], "SUCCEED")

    def test_posts_for_a_sub_device(self):
        key, secret = self.sub_device("s")
        self.login(key, secret)
        post = MeasurepointPostRequest.builder().add_measurepoint("temperature", 1.5)
        self.ask(post.set_product_key(PRODUCT).set_device_key(key))

    def test_registration(self):
        request = DeviceRegisterRequest.builder()
        request.add_register_information(PRODUCT, f"{self.key}-new", StringI18n("new one"), "a remark", "+01:00")
        (known,) = self.ask(request).get_data()
        self.assertEqual(known["deviceKey"], f"{self.key}-new")
        self.ask(TopoAddRequest.builder().add_sub_device(SubDeviceInfo(PRODUCT, known["deviceKey"], known["deviceSecret"])))
        self.login(known["deviceKey"], known["deviceSecret"])

    def test_it_is_told_of_a_disable(self):
        told = []

        def note(command, _args):
            told.append(command.get_params())
            return SubDeviceDisableReply.builder().set_code(200).build()

        self.client.register_arrived_message_handler(SubDeviceDisableCommand.get_class(), note)
        key, secret = self.sub_device("s")
        self.login(key, secret)
        self.operator.disable(key)
        eventually("the gateway being told", lambda: told or None)
        self.assertEqual(told, [{"productKey": PRODUCT, "deviceKey": key}])
        self.assertTrue(self.client.is_connected())

    def test_after_a_restart_of_the_server_what_waited_reaches_the_sub_device(self):
        key, secret = self.sub_device("s")
        self.login(key, secret)
        self.server.kill()
        self.server.start()
        job = self.operator.invoke(key)
        # The SDK comes back and logs its sub-devices in again by itself.
        self.assertEqual(self.operator.ended(job)["status"], "SUCCEED")


if __name__ == "__main__":
    unittest.main()
