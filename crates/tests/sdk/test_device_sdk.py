"""The vendor's Python device SDK, unmodified, against the real server: what a device built with it experiences."""

import logging
import threading
import time
import unittest

from enos.core.internal.Profile import Profile
from enos.core.login.DynamicActivationLogin import DynamicActivationLogin
from enos.core.login.MessageIntegrationLogin import MessageIntegrationLogin
from enos.core.MqttClient import MqttClient
from enos.message.downstream.tsl.MeasurepointSetCommand import MeasurepointSetCommand
from enos.message.downstream.tsl.MeasurepointSetReply import MeasurepointSetReply
from enos.message.downstream.tsl.ServiceInvocationCommand import ServiceInvocationCommand
from enos.message.downstream.tsl.ServiceInvocationReply import ServiceInvocationReply
from enos.message.upstream.integration.IntAttributePostRequest import IntAttributePostRequest
from enos.message.upstream.resume.MeasurepointResumeRequest import MeasurepointResumeRequest
from enos.message.upstream.tag.TagDeleteRequest import TagDeleteRequest
from enos.message.upstream.tag.TagQueryRequest import TagQueryRequest
from enos.message.upstream.tag.TagUpdateRequest import TagUpdateRequest
from enos.message.upstream.tsl.AttributeDeleteRequest import AttributeDeleteRequest
from enos.message.upstream.tsl.AttributeQueryRequest import AttributeQueryRequest
from enos.message.upstream.tsl.AttributeUpdateRequest import AttributeUpdateRequest
from enos.message.upstream.tsl.EventPostRequest import EventPostRequest
from enos.message.upstream.tsl.MeasurepointPostBatchRequest import MeasurepointPostBatchRequest
from enos.message.upstream.tsl.MeasurepointPostRequest import MeasurepointPostRequest
from enos.message.upstream.tsl.TslTemplateGetRequest import TslTemplateGetRequest

from aldis_server import DYNAMIC, PRODUCT, Operator, Server, eventually

# What it says about refusals and handlers that raise is wanted here, and would bury the results.
logging.getLogger("enos").setLevel(logging.CRITICAL)

# Less than what the SDK's own blocking calls wait for before they give up.
PROMPTLY_S = 5


def multiply(command, _args):
    """What the SDK's own sample does."""
    params = command.get_params()
    return ServiceInvocationReply.builder().add_output_data("product", params["left"] * params["right"]).set_code(200).build()


def paho(client):
    """The MQTT client inside, for what the SDK neither does nor tells."""
    return client._MqttClient__connection._MqttConnection__paho_client


class DeviceSdk(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        cls.addClassCleanup(cls.server.close)
        cls.operator = Operator(cls.server)
        cls.operator.furnish()

    def setUp(self):
        # One device per test, so that no test waits behind another.
        self.key = self.id().rsplit(".", 1)[1].replace("test_", "")[:60]
        self.secret = self.operator.register(self.key)

    def client(self, secret=None):
        client = MqttClient(f"tcp://{self.server.mqtt}", PRODUCT, self.key, secret or self.secret)
        client.get_profile().set_auto_reconnect(True)
        client.get_profile().set_auto_reconnect_min_sec(1)
        client.get_profile().set_auto_reconnect_max_sec(1)
        self.addCleanup(client.close)
        return client

    def connected(self, **handlers):
        client = self.client()
        for kind, handler in handlers.items():
            command = {"service": ServiceInvocationCommand, "point": MeasurepointSetCommand}[kind]
            client.register_arrived_message_handler(command.get_class(), handler)
        client.connect()
        self.assertTrue(client.is_connected())
        return client

    def status(self):
        return self.operator.device(self.key)["status"]

    def await_status(self, wanted):
        eventually(f"{self.key} being {wanted}", lambda: True if self.status() == wanted else None)

    def test_connects_at_once_and_is_online(self):
        self.assertEqual(self.status(), "inactive")
        begun = time.monotonic()
        self.connected()
        # A CONNACK that it misses would cost it ten seconds.
        self.assertLess(time.monotonic() - begun, PROMPTLY_S)
        self.assertEqual(self.status(), "online")

    def test_a_wrong_secret_is_refused(self):
        client = self.client(secret="another secret")
        refusals = []
        thread = threading.Thread(target=lambda: refusals.append(client.connect()), daemon=True)
        thread.start()
        thread.join(PROMPTLY_S)
        self.assertFalse(client.is_connected())
        self.assertEqual(self.status(), "inactive")
        # A refused client goes on trying in the background for ever.
        paho(client).loop_stop()
        thread.join()

    def test_a_service_is_invoked_and_its_output_is_the_tasks(self):
        self.connected(service=multiply)
        job = self.operator.invoke(self.key, 6, 7)
        task = self.operator.ended(job)
        self.assertEqual(task["status"], "SUCCEED")
        self.assertEqual((task["taskResult"]["code"], task["taskResult"]["outputData"]), (0, {"product": 42}))
        self.assertEqual(self.operator.statistics(job)["succeed"], 1)

    def test_a_measurement_point_is_set(self):
        seen = []

        def take(command, _args):
            seen.append(command.get_params())
            return MeasurepointSetReply.builder().set_code(200).set_message("set").build()

        self.connected(point=take)
        task = self.operator.ended(self.operator.set_point(self.key, "temperature", 21.5))
        self.assertEqual((task["status"], task["taskResult"]["code"]), ("SUCCEED", 0))
        self.assertEqual(seen, [{"temperature": 21.5}])

    def test_the_devices_own_error_code_is_the_tasks(self):
        def fail(_command, _args):
            return ServiceInvocationReply.builder().set_code(2001).set_message("valve stuck").build()

        self.connected(service=fail)
        task = self.operator.ended(self.operator.invoke(self.key))
        self.assertEqual(task["status"], "FAILED")
        self.assertEqual((task["taskResult"]["code"], task["taskResult"]["desc"]), (2001, "valve stuck"))

    def test_a_handler_that_raises_fails_the_task_with_the_code_that_the_sdk_sends(self):
        def crash(_command, _args):
            raise RuntimeError("out of paper")

        self.connected(service=crash)
        task = self.operator.ended(self.operator.invoke(self.key, inProgressTimeoutInSeconds=10))
        self.assertEqual((task["status"], task["taskResult"]["code"]), ("FAILED", 500))
        self.assertIn("out of paper", task["taskResult"]["desc"])

    def test_a_handler_that_replies_nothing_ends_with_the_reply_timeout(self):
        self.connected(service=lambda _command, _args: None)
        task = self.operator.ended(self.operator.invoke(self.key, inProgressTimeoutInSeconds=1))
        self.assertEqual((task["status"], task["taskResult"]["code"]), ("RSP_TIMEOUT", 11915))
        self.assertEqual(task["taskResult"]["desc"], "acknowledged but silent")

    def test_without_a_handler_the_sdk_refuses_and_the_task_fails(self):
        self.connected()
        task = self.operator.ended(self.operator.invoke(self.key))
        self.assertEqual((task["status"], task["taskResult"]["code"]), ("FAILED", 1101))

    def test_a_slow_execution_may_take_its_reply_timeout(self):
        go_on = threading.Event()

        def slow(command, args):
            go_on.wait(PROMPTLY_S)
            return multiply(command, args)

        self.connected(service=slow)
        job = self.operator.invoke(self.key, inProgressTimeoutInSeconds=30)
        executing = lambda: True if self.operator.task(job)["status"] == "IN_PROGRESS" else None
        eventually("the device executing it", executing)
        self.assertEqual(self.operator.statistics(job)["inProgress"], 1)
        go_on.set()
        self.assertEqual(self.operator.ended(job)["status"], "SUCCEED")

    def test_commands_come_one_after_another_in_order(self):
        seen = []

        def note(command, args):
            seen.append(command.get_params()["left"])
            return multiply(command, args)

        jobs = [self.operator.invoke(self.key, left) for left in range(5)]
        self.connected(service=note)
        for job in jobs:
            self.assertEqual(self.operator.ended(job)["status"], "SUCCEED")
        self.assertEqual(seen, [0, 1, 2, 3, 4])

    def test_it_leaves_comes_back_and_gets_what_waited(self):
        client = self.connected(service=multiply)
        client.disconnect()
        self.await_status("offline")
        jobs = [self.operator.invoke(self.key, 2, 3), self.operator.set_point(self.key, "temperature", 1)]
        self.assertEqual(self.operator.task(jobs[0])["taskResult"], None)
        client.register_arrived_message_handler(
            MeasurepointSetCommand.get_class(), lambda _command, _args: MeasurepointSetReply.builder().set_code(200).build()
        )
        client.reconnect()
        for job in jobs:
            self.assertEqual(self.operator.ended(job)["status"], "SUCCEED")

    def test_a_second_client_takes_over(self):
        first = self.connected(service=multiply)
        # Two clients that both come back for ever would throw each other out again and again.
        paho(first).reconnect_delay_set(60, 60)
        self.connected(service=multiply)
        # The SDK goes on calling itself connected, so its socket has to tell.
        eventually("the end of the first connection", lambda: True if paho(first).socket() is None else None)
        self.assertEqual(self.status(), "online")
        self.assertEqual(self.operator.ended(self.operator.invoke(self.key))["status"], "SUCCEED")

    def test_every_upstream_call_gets_its_answer(self):
        client = self.connected()
        point = lambda: MeasurepointPostRequest.builder().add_measurepoint("temperature", 1.5).set_timestamp(time.time_ns() // 10**6)
        batch = MeasurepointPostBatchRequest.builder()
        batch.set_requests([point().set_product_key(PRODUCT).set_device_key(self.key).build() for _ in range(2)])
        batch.set_allow_offline_sub_device(False)
        batch.set_skip_invalid_measurepoints(False)
        requests = {
            "points": point().build(),
            "batch of points": batch.build(),
            "resumed point": MeasurepointResumeRequest.builder().add_measure_point("temperature", 1).set_timestamp(1).build(),
            "event": EventPostRequest.builder().set_event_identifier("hot").add_value("power", 1).build(),
            "attribute update": AttributeUpdateRequest.builder().add_attribute("a", 6).build(),
            "attribute query": AttributeQueryRequest.builder().add_attribute("a").build(),
            "attribute delete": AttributeDeleteRequest.builder().delete_attribute("a").build(),
            "tag update": TagUpdateRequest.builder().add_tag("t", "1").build(),
            "tag query": TagQueryRequest.builder().add_key("t").build(),
            "tag delete": TagDeleteRequest.builder().delete_tag_key("t").build(),
            "thing model": TslTemplateGetRequest.builder().build(),
        }
        for what, request in requests.items():
            with self.subTest(what):
                begun = time.monotonic()
                response = client.publish(request)
                self.assertLess(time.monotonic() - begun, PROMPTLY_S)
                self.assertEqual(str(response.get_code()), "200")


class ProductSecret(unittest.TestCase):
    """Logins with the secret that all devices of a product share."""

    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        cls.addClassCleanup(cls.server.close)
        cls.url = f"tcp://{cls.server.mqtt}"
        cls.operator = Operator(cls.server)
        cls.operator.furnish()
        cls.secret = cls.operator.product_secret(DYNAMIC)

    def connected(self, login):
        client = MqttClient(profile=Profile.create_instance(login))
        client.get_profile().set_auto_reconnect(False)
        self.addCleanup(client.close)
        return client

    def test_a_device_is_told_its_secret_and_logs_in_with_it(self):
        registered = self.operator.register("fresh", DYNAMIC)
        client = self.connected(DynamicActivationLogin(self.url, DYNAMIC, self.secret, "fresh"))
        told = []
        client.on_device_dynamic_active = told.append
        client.connect()
        secret = eventually("the secret", lambda: told[0] if told else None)
        self.assertEqual(secret, registered)
        self.assertEqual(self.operator.device("fresh", DYNAMIC)["status"], "inactive")
        client.disconnect()
        device = MqttClient(self.url, DYNAMIC, "fresh", secret)
        self.addCleanup(device.close)
        device.connect()
        self.assertTrue(device.is_connected())
        self.assertEqual(self.operator.device("fresh", DYNAMIC)["status"], "online")

    def test_an_integration_channel_posts_for_its_product(self):
        client = self.connected(MessageIntegrationLogin(self.url, DYNAMIC, self.secret))
        client.connect()
        request = IntAttributePostRequest.builder().add_attribute("fresh", "a", 1).build()
        begun = time.monotonic()
        response = client.publish(request)
        self.assertLess(time.monotonic() - begun, PROMPTLY_S)
        self.assertEqual(str(response.get_code()), "200")


class Restart(unittest.TestCase):
    def test_the_sdk_comes_back_by_itself_after_the_server_was_killed(self):
        server = Server()
        self.addCleanup(server.close)
        operator = Operator(server)
        operator.furnish()
        secret = operator.register("survivor")
        client = MqttClient(f"tcp://{server.mqtt}", PRODUCT, "survivor", secret)
        client.get_profile().set_auto_reconnect(True)
        client.get_profile().set_auto_reconnect_min_sec(1)
        client.get_profile().set_auto_reconnect_max_sec(1)
        client.register_arrived_message_handler(ServiceInvocationCommand.get_class(), multiply)
        client.connect()
        self.addCleanup(client.close)
        self.assertEqual(operator.ended(operator.invoke("survivor"))["status"], "SUCCEED")
        server.kill()
        server.start()
        job = operator.invoke("survivor")
        self.assertEqual(operator.ended(job)["status"], "SUCCEED")


if __name__ == "__main__":
    unittest.main()
