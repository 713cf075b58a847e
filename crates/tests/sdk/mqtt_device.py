"""A device on the client library that lies under the vendor's Python SDK, in either version of MQTT."""

import hashlib
import json
import queue

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from aldis_server import PATIENCE_S, PRODUCT


def offering(headers, subprotocol):
    """The headers of a request for a WebSocket that offers this subprotocol, or none."""
    others = {name: value for name, value in headers.items() if name.lower() != "sec-websocket-protocol"}
    return {**others, "Sec-WebSocket-Protocol": subprotocol} if subprotocol else others


class Device:
    """Keeps all that it is told. With a path it speaks in a WebSocket, with an authority under TLS."""

    def __init__(self, address, key, secret, mode=2, product=PRODUCT, version=mqtt.MQTTv5, web_socket=None, subprotocol="mqtt", ca=None,
                 **properties):
        at = "1795388113773"
        signed = f"clientId{key}deviceKey{key}productKey{product}timestamp{at}{secret}"
        carried = "tcp" if web_socket is None else "websockets"
        client = mqtt.Client(f"{key}|securemode={mode},signmethod=sha256,timestamp={at}|", protocol=version, transport=carried)
        if web_socket is not None:
            client.ws_set_options(path=web_socket, headers=lambda headers: offering(headers, subprotocol))
        if ca is not None:
            client.tls_set(ca)
        client.username_pw_set(f"{key}&{product}", hashlib.sha256(signed.encode()).hexdigest())
        self.connacks, self.disconnects = queue.Queue(), queue.Queue()
        self.messages, self.granted, self.published = queue.Queue(), queue.Queue(), queue.Queue()
        client.on_connect = lambda _c, _u, flags, code, *told: self.connacks.put((flags, getattr(code, "value", code), *told))
        client.on_disconnect = lambda _c, _u, code, *told: self.disconnects.put((getattr(code, "value", code), *told))
        client.on_message = lambda _c, _u, message: self.messages.put(message)
        client.on_subscribe = lambda _c, _u, _mid, codes, *_p: self.granted.put([getattr(code, "value", code) for code in codes])
        client.on_unsubscribe = lambda _c, _u, _mid, _p, codes: self.granted.put(codes)
        client.on_publish = lambda _c, _u, mid: self.published.put(mid)
        self.client, self.key, self._version = client, key, version
        host, port = address.rsplit(":", 1)
        if version == mqtt.MQTTv5:
            asked = Properties(PacketTypes.CONNECT)
            for name, value in properties.items():
                setattr(asked, name, value)
            client.connect(host, int(port), clean_start=False, properties=asked)
        else:
            client.connect(host, int(port))
        client.loop_start()

    def came(self, what):
        return what.get(timeout=PATIENCE_S)

    def command(self):
        message = self.came(self.messages)
        return message, json.loads(message.payload)

    def answer(self, message, command, qos=1):
        reply = {"id": command["id"], "code": 200, "data": {"product": 42}}
        told = None
        if self._version == mqtt.MQTTv5:
            told = Properties(PacketTypes.PUBLISH)
            told.UserProperty = ("made-by", "a test")
        self.client.publish(message.topic + "_reply", json.dumps(reply), qos=qos, properties=told)

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()
