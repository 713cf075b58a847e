"""Devices that speak MQTT 5, with the client library that lies under the vendor's Python SDK."""

import json
import unittest

import paho.mqtt.client as mqtt

from aldis_server import DYNAMIC, PRODUCT, Operator, Server, eventually
from mqtt_device import Device

NOT_AUTHORIZED = 0x87
SERVER_SHUTTING_DOWN = 0x8B
SESSION_TAKEN_OVER = 0x8E


class Mqtt5(unittest.TestCase):
    def setUp(self):
        self.server = Server()
        self.addCleanup(self.server.close)
        self.operator = Operator(self.server)
        self.operator.furnish()

    def device(self, key, secret=None, **properties):
        secret = secret or self.operator.register(key)
        device = Device(self.server.mqtt, key, secret, **properties)
        self.addCleanup(device.close)
        return device

    def test_is_told_what_holds_and_carries_out_what_waits(self):
        device = self.device("d1", SessionExpiryInterval=3600)
        flags, code, told = device.came(device.connacks)
        self.assertEqual((code, flags["session present"]), (0, 0))
        self.assertEqual((told.SessionExpiryInterval, told.MaximumQoS, told.RetainAvailable), (0, 1, 0))
        self.assertEqual(told.SharedSubscriptionAvailable, 0)
        for qos in (0, 1):
            job = self.operator.invoke("d1")
            message, command = device.command()
            self.assertEqual((message.qos, message.retain), (1, 0))
            device.answer(message, command, qos)
            self.assertEqual(self.operator.ended(job)["taskResult"]["outputData"], {"product": 42})

    def test_subscribes_unsubscribes_posts_and_is_answered(self):
        device = self.device("d1")
        device.came(device.connacks)
        topic = f"/sys/{PRODUCT}/d1/thing/measurepoint/post"
        device.client.subscribe([(f"{topic}_reply", mqtt.SubscribeOptions(qos=2)), ("a/b", mqtt.SubscribeOptions(qos=0))])
        self.assertEqual(device.came(device.granted), [1, 0])
        post = {"id": "7", "version": "1.0", "params": {"measurepoints": {"temperature": 21.5}}}
        device.client.publish(topic, json.dumps(post), qos=1)
        device.came(device.published)
        message, answer = device.command()
        self.assertEqual((message.topic, answer["id"], answer["code"]), (f"{topic}_reply", "7", 200))
        device.client.unsubscribe([f"{topic}_reply", "a/b"])
        self.assertEqual([code.value for code in device.came(device.granted)], [0, 0])
        latest = self.operator.device("d1")["latestValues"]["measurepoints"]
        self.assertEqual(latest["temperature"]["value"], 21.5)

    def test_a_device_without_a_secret_is_told_its_own(self):
        secret = self.operator.register("d1", DYNAMIC)
        products = self.operator.product_secret(DYNAMIC)
        device = self.device("d1", products, mode=3, product=DYNAMIC)
        device.came(device.connacks)
        message, told = device.command()
        self.assertEqual((message.topic, message.qos), (f"/ext/session/{DYNAMIC}/d1/thing/activate/info", 0))
        self.assertEqual(told["params"]["deviceSecret"], secret)

    def test_a_wrong_secret_has_its_own_reason(self):
        self.operator.register("d1")
        device = self.device("d1", secret="another")
        self.assertEqual(device.came(device.connacks)[1], NOT_AUTHORIZED)

    def test_whoever_is_replaced_or_left_by_a_stopping_server_is_told(self):
        secret = self.operator.register("d1")
        first = self.device("d1", secret)
        first.came(first.connacks)
        second = self.device("d1", secret)
        second.came(second.connacks)
        self.assertEqual(first.came(first.disconnects)[0], SESSION_TAKEN_OVER)
        first.close()
        eventually("the second one alone", lambda: self.operator.device("d1")["status"] == "online" or None)
        self.server._process.terminate()
        self.assertEqual(second.came(second.disconnects)[0], SERVER_SHUTTING_DOWN)

    def test_a_client_that_takes_one_message_at_a_time_is_sent_the_next_without_acknowledgement(self):
        device = self.device("d1", ReceiveMaximum=1)
        device.came(device.connacks)
        # Its PUBACK stays away: what it owes is as much as it takes.
        device.client._send_puback = lambda mid: mqtt.MQTT_ERR_SUCCESS
        first = self.operator.invoke("d1")
        message, command = device.command()
        self.assertEqual(message.qos, 1)
        device.answer(message, command)
        self.assertEqual(self.operator.ended(first)["status"], "SUCCEED")
        second = self.operator.invoke("d1")
        message, command = device.command()
        self.assertEqual(message.qos, 0)
        device.answer(message, command)
        self.assertEqual(self.operator.ended(second)["status"], "SUCCEED")

    def test_a_command_that_is_larger_than_the_client_takes_fails_at_once(self):
        device = self.device("d1", MaximumPacketSize=100)
        device.came(device.connacks)
        for _ in range(2):
            job = self.operator.invoke("d1", inProgressTimeoutInSeconds=600)
            ended = self.operator.ended(job)
            self.assertEqual((ended["status"], ended["taskResult"]["code"]), ("FAILED", 413))
            self.assertIn("larger than", ended["taskResult"]["desc"])
        self.assertTrue(device.messages.empty() and device.disconnects.empty())

    def test_after_a_kill_it_comes_back_and_its_reply_counts(self):
        secret = self.operator.register("d1")
        device = self.device("d1", secret)
        device.came(device.connacks)
        job = self.operator.invoke("d1", inProgressTimeoutInSeconds=60)
        message, command = device.command()
        self.server.kill()
        device.came(device.disconnects)
        device.close()
        self.server.start()
        again = self.device("d1", secret)
        flags, _, _ = again.came(again.connacks)
        self.assertEqual(flags["session present"], 0)
        again.answer(message, command)
        self.assertEqual(self.operator.ended(job)["status"], "SUCCEED")
        self.assertTrue(again.messages.empty())
