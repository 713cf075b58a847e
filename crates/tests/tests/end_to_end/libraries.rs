//! The vendor's libraries for Node.js, Java and C, imitated from what they put on the wire: they cannot be installed
//! from a package registry. The Python one is tried itself (crates/tests/sdk).

mod gateways;
mod library;
mod wire;

use std::time::{Duration, Instant};

use aldis_client::{NewProduct, ProductChange, TaskStatus};
use aldis_simulator::DeviceIdentity;
use serde_json::{Value, json};

use self::library::{ALL, C_FILTERS, C_SETS, Library};
use self::wire::{Got, Wire};
use crate::harness::{Plan, World, product};

const QOS_1: u8 = 0x02;
/// One library misses what comes earlier.
const BEFORE_CONNACK: Duration = Duration::from_millis(10);
/// Libraries say that they are connected before their programs have said what is to be done about commands.
const BEFORE_COMMANDS: Duration = Duration::from_secs(1);
/// A product whose commands go with QoS 0.
const QUIET: &str = "quiet";

/// Connects as a library does, as far as its CONNACK.
async fn connected(world: &World, library: Library, identity: &DeviceIdentity) -> Wire {
    let mut wire = Wire::open(world.server.mqtt).await;
    if library.packs() {
        wire.pack();
    }
    let [id, user, password] = library.strings(identity);
    let said = Instant::now();
    wire.connect(library.connect_flags(), 60, [&id, &user, &password]).await;
    let accepted = Got::ConnAck {
        session_present: false,
        code: 0,
    };
    assert_eq!(wire.next().await, accepted, "{library:?}");
    assert!(said.elapsed() >= BEFORE_CONNACK, "{library:?}");
    wire
}

/// Connects and does what the library does before its program goes on.
async fn started(world: &World, library: Library, identity: &DeviceIdentity) -> Wire {
    let mut wire = connected(world, library, identity).await;
    if library.subscribes() {
        let prefix = format!("/sys/{}/{}", identity.product_key, identity.device_key);
        let sets = format!("{prefix}/{C_SETS}");
        if library == Library::CWithSets {
            wire.subscribe(1, &sets, 0).await;
            assert_eq!(wire.next().await, Got::SubAck { packet: 1, granted: 0 });
        } else {
            wire.unsubscribe(1, &sets).await;
            assert_eq!(wire.next().await, Got::UnsubAck { packet: 1 });
        }
        for (packet, filter) in (2..).zip(C_FILTERS) {
            wire.subscribe(packet, &format!("{prefix}/{filter}"), 0).await;
            assert_eq!(wire.next().await, Got::SubAck { packet, granted: 0 }, "{filter}");
        }
    }
    wire
}

async fn device(world: &World, library: Library) -> DeviceIdentity {
    world.device(&format!("{library:?}").to_lowercase()).await
}

/// The next command: its topic and its content.
async fn command(wire: &mut Wire) -> (String, Value) {
    let Got::Publish { topic, payload, flags } = wire.next().await else {
        panic!("a command is expected")
    };
    assert_eq!(flags, QOS_1, "no duplicate, nothing retained");
    let content: Value = serde_json::from_slice(&payload).unwrap();
    let keys: Vec<&String> = content.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["id", "method", "params", "version"]);
    assert!(content["params"].is_object());
    let id = content["id"].as_str().unwrap();
    assert!(id.len() == 19 && id.bytes().all(|byte| byte.is_ascii_digit()), "{id}");
    (topic, content)
}

fn id(command: &Value) -> &str {
    command["id"].as_str().unwrap()
}

#[tokio::test]
async fn a_service_is_carried_out_and_its_output_kept() {
    let world = World::open().await;
    for library in ALL {
        let identity = device(&world, library).await;
        let mut wire = started(&world, library, &identity).await;
        let begun = Instant::now();
        let job = world.create(&Plan::device(&identity)).await;
        let (topic, content) = command(&mut wire).await;
        assert!(
            library.subscribes() || begun.elapsed() > BEFORE_COMMANDS.mul_f32(0.9),
            "{library:?}"
        );
        let key = &identity.device_key;
        assert_eq!(topic, format!("/sys/pump/{key}/thing/service/multiply"));
        assert_eq!(content["method"], "thing.service.multiply");
        let reply = library.service_reply(id(&content), &json!({"product": 42}));
        wire.publish(&format!("{topic}_reply"), reply.as_bytes(), None).await;
        let task = world.task_in(&job, TaskStatus::Succeed).await;
        let result = task.task_result.unwrap();
        assert_eq!(
            (result.code, result.output_data),
            (Some(0), Some(json!({"product": 42})))
        );
    }
}

#[tokio::test]
async fn a_measurement_point_is_set_by_those_that_take_it() {
    let world = World::open().await;
    for library in [Library::Node, Library::Java, Library::JavaPacked, Library::CWithSets] {
        let identity = device(&world, library).await;
        let mut wire = started(&world, library, &identity).await;
        let plan = Plan::device(&identity).sets("temperature", json!(21.5));
        let job = world.create(&plan).await;
        let (topic, content) = command(&mut wire).await;
        assert_eq!(content["params"], json!({"temperature": 21.5}));
        let reply = library.set_reply(id(&content));
        wire.publish(&format!("{topic}_reply"), reply.as_bytes(), None).await;
        let task = world.task_in(&job, TaskStatus::Succeed).await;
        assert_eq!(task.task_result.unwrap().output_data, None);
    }
}

#[tokio::test]
async fn a_failure_keeps_the_code_that_the_library_gives_it() {
    let world = World::open().await;
    for library in [Library::Node, Library::Java, Library::JavaPacked] {
        let identity = device(&world, library).await;
        let mut wire = started(&world, library, &identity).await;
        let job = world.create(&Plan::device(&identity)).await;
        let (topic, content) = command(&mut wire).await;
        let (reply, code) = library.failure(id(&content)).unwrap();
        wire.publish(&format!("{topic}_reply"), reply.as_bytes(), None).await;
        let task = world.task_in(&job, TaskStatus::Failed).await;
        assert_eq!(task.task_result.unwrap().code, Some(code));
        let Some(reply) = library.no_handler() else { continue };
        let job = world.create(&Plan::device(&identity)).await;
        let (topic, content) = command(&mut wire).await;
        let reply = reply.replace("ID", id(&content));
        wire.publish(&format!("{topic}_reply"), reply.as_bytes(), None).await;
        let task = world.task_in(&job, TaskStatus::Failed).await;
        assert_eq!(task.task_result.unwrap().code, Some(1101));
    }
}

#[tokio::test]
async fn numbers_are_kept_as_the_library_writes_them() {
    let world = World::open().await;
    let identity = device(&world, Library::Java).await;
    let mut wire = started(&world, Library::Java, &identity).await;
    let job = world.create(&Plan::device(&identity)).await;
    let (topic, content) = command(&mut wire).await;
    // A product of doubles in Java is a double.
    let reply = format!(
        r#"{{"code":200,"data":{{"product":42.0}},"id":"{}","message":""}}"#,
        id(&content)
    );
    wire.publish(&format!("{topic}_reply"), reply.as_bytes(), None).await;
    let task = world.task_in(&job, TaskStatus::Succeed).await;
    assert_eq!(task.task_result.unwrap().output_data, Some(json!({"product": 42.0})));
}

/// A product whose devices are told their secret.
const DYNAMIC: &str = "dynamic";

#[tokio::test]
async fn a_library_that_knows_its_products_secret_only_is_told_its_own() {
    let world = World::open().await;
    let dynamic = NewProduct {
        dynamic_activate_enabled: Some(true),
        product_secret: Some("of the product".into()),
        ..product(DYNAMIC)
    };
    world.client.create_product(&dynamic).await.unwrap();
    for library in ALL {
        let key = format!("{library:?}").to_lowercase();
        let identity = world.register(DYNAMIC, std::slice::from_ref(&key)).await.remove(0);
        let unknown = DeviceIdentity::new(DYNAMIC, &key, "of the product".to_owned());
        let mut wire = Wire::open(world.server.mqtt).await;
        if library.packs() {
            wire.pack();
        }
        let [id, user, password] = library.activation_strings(&unknown);
        wire.connect(0xc2, library.activation_keep_alive(), [&id, &user, &password])
            .await;
        let accepted = Got::ConnAck {
            session_present: false,
            code: 0,
        };
        assert_eq!(wire.next().await, accepted, "{library:?}");
        let Got::Publish { topic, payload, flags } = wire.next().await else {
            panic!("its secret is expected")
        };
        let told: Value = serde_json::from_slice(&payload).unwrap();
        assert_eq!(
            (flags, topic.as_str()),
            (0, format!("/ext/session/{DYNAMIC}/{key}/thing/activate/info").as_str())
        );
        assert_eq!(told["params"]["deviceSecret"], identity.device_secret.as_str());
        if let Some(reply) = library.activation_reply() {
            wire.publish(&format!("{topic}_reply"), reply.as_bytes(), None).await;
        }
        wire.disconnect().await;
        started(&world, library, &identity).await.disconnect().await;
    }
}

#[tokio::test]
async fn a_post_is_answered_with_its_own_id_as_text_and_a_code_as_number() {
    let world = World::open().await;
    for library in ALL {
        let identity = device(&world, library).await;
        let mut wire = started(&world, library, &identity).await;
        let topic = format!("/sys/pump/{}/thing/measurepoint/post", identity.device_key);
        if !library.subscribes() {
            // Before the first request of a kind, and not without its SUBACK.
            wire.subscribe(90, &format!("{topic}_reply"), 1).await;
            let granted = Got::SubAck { packet: 90, granted: 1 };
            assert_eq!(wire.next().await, granted);
        }
        // C counts its requests from 0, and wants no acknowledgement of any.
        let first = u16::from(!library.subscribes());
        for number in first..first + 3 {
            let packet = (!library.subscribes()).then_some(100 + number);
            wire.publish(&topic, library.post(u32::from(number)).as_bytes(), packet)
                .await;
            let (mut acknowledged, mut answered) = (packet.is_none(), false);
            while !(acknowledged && answered) {
                match wire.next().await {
                    Got::PubAck { packet } => acknowledged = packet == 100 + number,
                    Got::Publish { topic: to, payload, .. } => {
                        let answer: Value = serde_json::from_slice(&payload).unwrap();
                        assert_eq!(to, format!("{topic}_reply"));
                        assert_eq!(
                            (&answer["id"], &answer["code"]),
                            (&json!(number.to_string()), &json!(200))
                        );
                        assert!(answer.get("data").is_some());
                        answered = true;
                    }
                    other => panic!("{other:?}"),
                }
            }
        }
        // The Java library takes the answer's topic back when it thinks that it never asked for it.
        wire.unsubscribe(91, &format!("{topic}_reply")).await;
        assert_eq!(wire.next().await, Got::UnsubAck { packet: 91 });
        wire.ping().await;
        assert_eq!(wire.next().await, Got::PingResp);
        wire.disconnect().await;
    }
}

#[tokio::test]
async fn what_waited_is_delivered_after_a_reconnect_without_a_new_subscription() {
    let world = World::open().await;
    for library in ALL {
        let identity = device(&world, library).await;
        drop(started(&world, library, &identity).await);
        let job = world.create(&Plan::device(&identity).ttl(600)).await;
        // The C library thinks that its subscriptions are remembered, and does not repeat them.
        let mut wire = connected(&world, library, &identity).await;
        let (topic, content) = command(&mut wire).await;
        let reply = library.service_reply(id(&content), &json!({"product": 42}));
        wire.publish(&format!("{topic}_reply"), reply.as_bytes(), None).await;
        world.task_in(&job, TaskStatus::Succeed).await;
    }
}

#[tokio::test]
async fn a_library_that_subscribes_gets_nothing_before_it_has_done_so() {
    let world = World::open().await;
    let identity = device(&world, Library::C).await;
    let job = world.create(&Plan::device(&identity).ttl(600)).await;
    let mut wire = connected(&world, Library::C, &identity).await;
    let prefix = format!("/sys/pump/{}", identity.device_key);
    // One packet at a time, a tenth of a second each. The services come last here, long after the pause that is enough
    // for others.
    let slowly = [C_SETS].into_iter().chain(C_FILTERS.into_iter().rev());
    for (packet, filter) in (1..).zip(slowly) {
        wire.subscribe(packet, &format!("{prefix}/{filter}"), 0).await;
        assert_eq!(wire.next().await, Got::SubAck { packet, granted: 0 }, "{filter}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let (topic, content) = command(&mut wire).await;
    let reply = Library::C.service_reply(id(&content), &json!({"product": 42}));
    wire.publish(&format!("{topic}_reply"), reply.as_bytes(), None).await;
    world.task_in(&job, TaskStatus::Succeed).await;
}

/// A command of a product with QoS 0, and nothing of it is retained.
async fn quiet_command(wire: &mut Wire) -> (String, Value) {
    let Got::Publish { topic, payload, flags } = wire.next().await else {
        panic!("a command is expected")
    };
    assert_eq!(flags, 0);
    (topic, serde_json::from_slice(&payload).unwrap())
}

#[tokio::test]
async fn commands_of_a_product_with_qos_0_are_carried_out_without_acknowledgement() {
    let world = World::open().await;
    let quiet = NewProduct {
        command_qos: Some(0),
        ..product(QUIET)
    };
    world.client.create_product(&quiet).await.unwrap();
    for library in ALL {
        let key = format!("{library:?}").to_lowercase();
        let identity = world.register(QUIET, &[key]).await.remove(0);
        let mut wire = started(&world, library, &identity).await;
        let silent = world.create(&Plan::device(&identity).ttl(600).reply_within(1)).await;
        quiet_command(&mut wire).await;
        assert_eq!(world.task(&silent).await.status, TaskStatus::Published);
        let next = world.create(&Plan::device(&identity).ttl(600)).await;
        let task = world.task_in(&silent, TaskStatus::RspTimeout).await;
        assert_eq!(task.task_result.unwrap().desc.as_deref(), Some("unacknowledged"));
        // The same connection goes on: nothing had to be acknowledged.
        let (topic, content) = quiet_command(&mut wire).await;
        let reply = library.service_reply(id(&content), &json!({"product": 42}));
        wire.publish(&format!("{topic}_reply"), reply.as_bytes(), None).await;
        world.task_in(&next, TaskStatus::Succeed).await;
    }
}

#[tokio::test]
async fn another_qos_counts_from_the_devices_next_login() {
    let world = World::open().await;
    let identity = device(&world, Library::Node).await;
    let mut wire = started(&world, Library::Node, &identity).await;
    let change = |qos| ProductChange {
        command_qos: Some(qos),
        ..ProductChange::default()
    };
    world.client.update_product("pump", &change(0)).await.unwrap();
    let refused = world.client.update_product("pump", &change(2)).await.unwrap_err();
    assert!(refused.to_string().contains("commandQos"), "{refused}");
    assert_eq!(
        world.client.get_product("pump").await.unwrap().data.command_qos,
        Some(0)
    );
    for before in [true, false] {
        let job = world.create(&Plan::device(&identity).ttl(600)).await;
        let (topic, content) = if before {
            command(&mut wire).await
        } else {
            quiet_command(&mut wire).await
        };
        let reply = Library::Node.service_reply(id(&content), &json!({"product": 42}));
        wire.publish(&format!("{topic}_reply"), reply.as_bytes(), None).await;
        world.task_in(&job, TaskStatus::Succeed).await;
        wire = started(&world, Library::Node, &identity).await;
    }
}

#[tokio::test]
async fn a_wrong_secret_is_told_with_the_code_that_every_library_knows() {
    let world = World::open().await;
    for library in ALL {
        let identity = device(&world, library).await;
        let wrong = DeviceIdentity::new("pump", &identity.device_key, "another-secret".to_owned());
        let mut wire = Wire::open(world.server.mqtt).await;
        let [id, user, password] = library.strings(&wrong);
        wire.connect(library.connect_flags(), 60, [&id, &user, &password]).await;
        let refused = Got::ConnAck {
            session_present: false,
            code: 5,
        };
        assert_eq!(wire.next().await, refused, "{library:?}");
    }
}
