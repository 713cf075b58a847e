//! A gateway with one product and its devices, and sockets that speak raw MQTT.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use aldis_core::command::{Command, Qos};
use aldis_core::i18n::I18nText;
use aldis_core::ids::{AppKey, DeviceNo, WireId};
use aldis_core::time::{Clock, Timestamp};
use aldis_protocol::login::{Compression, Login, SecureMode, SignMethod};
use aldis_store::rows::{Model, NewDevice, Organization, Product, Role, Secret};
use aldis_store::{Store, Write};
use aldis_store_memory::MemoryStore;
use parking_lot::Mutex;
use rmqtt_codec::v3::{Connect, ConnectAckReason};
use serde_json::{Map, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Notify, mpsc};

use crate::admission::{Admission, Admitted};
use crate::client_capabilities::ClientCapabilities;
use crate::{Gateway, Listeners, Sessions, serve};
use aldis_app::devices::DeviceName;
use aldis_app::{App, BlockingPool, Caller, Parts, Settings, SystemRng};
use aldis_engine::Shared;
use aldis_engine::link::{DeviceEvent, DeviceLink as _, Gate, Order, Outgoing, SessionNo};
use aldis_engine::logins::to_check;
use aldis_engine::writer::{Inbox, Writer, WriterRequest};
use aldis_net::shutdown::{self, Stop};
use aldis_test_support::{FailingStore, Faults};

pub(super) const NOW: Timestamp = Timestamp(1_700_000_000_000);
/// Longer than anything here takes, shorter than a test run's patience.
const PATIENCE: Duration = Duration::from_secs(20);

/// The receive buffer of a narrow socket.
const NARROW_BYTES: u32 = 4096;
/// The send buffer of the server's sockets.
const SENT_BYTES: usize = 64 * 1024;

struct StoppedClock;

impl Clock for StoppedClock {
    fn now(&self) -> Timestamp {
        NOW
    }
}

pub(super) struct Bench {
    pub(super) mqtt: SocketAddr,
    pub(super) app: App,
    pub(super) sessions: Arc<Sessions>,
    pub(super) gateway: Arc<Gateway>,
    pub(super) stop: Stop,
    /// What goes wrong when something is read.
    pub(super) faults: Arc<Mutex<Faults>>,
    command: Arc<Command>,
    events: mpsc::UnboundedReceiver<DeviceEvent>,
    pub(super) ends: tokio::task::JoinHandle<()>,
}

impl Bench {
    /// Devices `d1` and `d2`, and room for `connections_max` connections.
    pub(super) async fn open(connections_max: usize) -> Self {
        let (report, events) = mpsc::unbounded_channel();
        let woken = Arc::new(Notify::new());
        let wake = Arc::clone(&woken);
        let inbox = Inbox::new(move || wake.notify_one());
        let shared = Shared::default();
        let sessions = Sessions::new(Writer::new(Arc::clone(&inbox)), shared.clone(), Arc::new(StoppedClock));
        let mut store = MemoryStore::default();
        store.commit(store.epoch(), NOW, &rows()).unwrap();
        let faults = Arc::new(Mutex::new(Faults::default()));
        let reader = Arc::new(FailingStore {
            store: store.clone(),
            faults: Arc::clone(&faults),
        });
        let searched = Arc::clone(&reader);
        let app = App::new(Parts {
            store: Arc::clone(&reader) as _,
            devices: Arc::clone(&reader) as _,
            search_reader: Arc::new(move |_budget| Arc::clone(&searched) as _),
            searches_max: 1,
            rows: reader,
            blocking: Arc::new(BlockingPool),
            writer: Writer::new(Arc::clone(&inbox)),
            shared,
            clock: Arc::new(StoppedClock),
            presence: Arc::clone(&sessions) as _,
            rng: Arc::new(SystemRng),
            token_key: [7; 32],
            settings: Settings::default(),
        });
        tokio::spawn(write(store, inbox, woken, report));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        // What a device does not read waits in the server, not in its system: connections inherit the size.
        socket2::SockRef::from(&listener)
            .set_send_buffer_size(SENT_BYTES)
            .unwrap();
        let mqtt = listener.local_addr().unwrap();
        let gateway = Gateway::new(
            app.clone(),
            Arc::new(StoppedClock),
            Arc::clone(&sessions),
            connections_max,
        );
        let (stop, stopped) = shutdown::channel();
        let command = Command::InvokeService {
            service_id: "s".to_owned(),
            input: Map::new(),
        };
        let listeners = Listeners {
            plain: listener,
            tls: None,
        };
        let ends = tokio::spawn(serve(Arc::clone(&gateway), listeners, stopped));
        Self {
            mqtt,
            app,
            sessions,
            gateway,
            stop,
            faults,
            command: Arc::new(command),
            events,
            ends,
        }
    }

    /// A device whose login has been checked and that has not entered yet.
    pub(super) async fn admit(&self, key: &str) -> Admitted {
        match self.try_admit(key).await {
            Ok(Admission::Device(admitted)) => admitted,
            Ok(Admission::Guest(_)) => panic!("it is a device"),
            Err(code) => panic!("{code:?}"),
        }
    }

    /// What comes of a login with the right secret.
    pub(super) async fn try_admit(&self, key: &str) -> Result<Admission, ConnectAckReason> {
        let strings = login(key).to_connect("secret");
        let connect = Connect {
            client_id: strings.client_id.into(),
            username: Some(strings.user_name.into()),
            password: Some(strings.password.into()),
            ..Connect::default()
        };
        let peer = SocketAddr::from(([127, 0, 0, 1], 1));
        self.gateway
            .admit(&connect, ClientCapabilities::default(), None, peer)
            .await
    }

    pub(super) fn operator(&self) -> Caller {
        Caller {
            repeats: false,
            org: "o1".into(),
            role: Role::Operator,
            app_key: None,
            address: None,
            request_id: "r".to_owned(),
        }
    }

    pub(super) fn name(&self, key: &str) -> DeviceName {
        DeviceName {
            asset: None,
            product: Some("pk".to_owned()),
            key: Some(key.to_owned()),
        }
    }

    pub(super) async fn socket(&self) -> Socket {
        Socket(TcpStream::connect(self.mqtt).await.unwrap())
    }

    /// A socket whose system takes little before it is read: what is not read soon waits at the server.
    pub(super) async fn narrow_socket(&self) -> Socket {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(NARROW_BYTES).unwrap();
        Socket(socket.connect(self.mqtt).await.unwrap())
    }

    /// A device that is in, and its session.
    pub(super) async fn device(&mut self, key: &str) -> (Socket, SessionNo) {
        let socket = self.socket().await;
        self.log_in(socket, key).await
    }

    /// The same over this socket.
    pub(super) async fn log_in(&mut self, mut socket: Socket, key: &str) -> (Socket, SessionNo) {
        socket.send(&connect(key, 60)).await;
        assert_eq!(socket.connack().await, 0);
        let session = self.wait(|event| match event {
            DeviceEvent::Connected { session, .. } => Some(*session),
            _ => None,
        });
        (socket, session.await)
    }

    /// The first event from now on that `pick` wants.
    pub(super) async fn wait<T>(&mut self, pick: impl Fn(&DeviceEvent) -> Option<T>) -> T {
        let found = async {
            loop {
                let event = self.events.recv().await.unwrap();
                if let Some(found) = pick(&event) {
                    return found;
                }
            }
        };
        tokio::time::timeout(PATIENCE, found).await.unwrap()
    }

    /// An attempt that has time to leave.
    pub(super) fn outgoing(&self, session: SessionNo, wire: WireId) -> Outgoing {
        Outgoing {
            session,
            device: DeviceNo(1),
            wire,
            command: Arc::clone(&self.command),
            gate: Arc::new(Gate::default()),
            not_after: NOW.plus_ms(1000),
        }
    }

    pub(super) fn publish(&self, session: SessionNo, wire: WireId) -> Order {
        Order::Publish(self.outgoing(session, wire))
    }

    /// Orders a command to be sent.
    pub(super) fn order(&self, session: SessionNo, wire: WireId) {
        self.sessions.carry_out(vec![self.publish(session, wire)]);
    }

    /// The next attempt that is reported not to have left.
    pub(super) async fn not_sent(&mut self) -> WireId {
        self.wait(|event| match event {
            DeviceEvent::NotSent { wire, .. } => Some(*wire),
            _ => None,
        })
        .await
    }
}

/// Carries out plain writes and passes on what devices report.
async fn write(store: MemoryStore, inbox: Arc<Inbox>, woken: Arc<Notify>, report: mpsc::UnboundedSender<DeviceEvent>) {
    let store = Mutex::new(store);
    loop {
        // A PUBACK alone does not wake the writer, which looks by itself now and then.
        drop(tokio::time::timeout(Duration::from_millis(5), woken.notified()).await);
        let received = inbox.take(usize::MAX, |_| false);
        for event in received.events {
            // A test that has ended wants no more of them.
            drop(report.send(event));
        }
        for request in received.requests {
            match request {
                WriterRequest::Write { writes, answer } => {
                    let mut store = store.lock();
                    let epoch = store.epoch();
                    let committed = store.commit(epoch, NOW, &writes).unwrap();
                    if let Some(asks) = to_check(&writes, Some(&committed)) {
                        inbox.check_sessions(asks);
                    }
                    drop(answer.send(Ok(committed.done)));
                }
                WriterRequest::EndSession { .. } | WriterRequest::CheckSession { .. } => {}
                other => panic!("not of the gateway: {other:?}"),
            }
        }
    }
}

fn name() -> I18nText {
    I18nText {
        default_value: "n".to_owned(),
        i18n_value: [].into(),
    }
}

fn rows() -> Vec<Write> {
    let organization = Organization {
        id: "o1".into(),
        name: "o1".to_owned(),
        disabled: false,
        created: NOW,
    };
    let document = json!({"modelId": "m", "name": {"defaultValue": "m"}});
    let model = Model {
        org: "o1".into(),
        id: "m".into(),
        document,
        created: NOW,
        updated: NOW,
    };
    let product = Product {
        org: "o1".into(),
        key: "pk".into(),
        name: name(),
        secret: Secret("ps".to_owned()),
        desc: String::new(),
        gateway: false,
        json: true,
        tags: [].into(),
        model: "m".into(),
        dynamic_activation: false,
        certificates: false,
        gateway_registers: false,
        former_secret: None,
        command_qos: Qos::default(),
        created: NOW,
        created_by: None::<AppKey>,
        updated: NOW,
        updated_by: None,
    };
    let device = |key: &str| NewDevice {
        org: "o1".into(),
        product: "pk".into(),
        key: key.into(),
        asset: format!("a-{key}").as_str().into(),
        secret: Secret("secret".to_owned()),
        name: name(),
        desc: String::new(),
        timezone: "+00:00".to_owned(),
        attributes: [].into(),
        tags: [].into(),
    };
    vec![
        Write::CreateOrganization(organization),
        Write::CreateModel(model),
        Write::CreateProduct(product),
        Write::register(vec![device("d1"), device("d2")]),
    ]
}

/// The other end of a device's connection.
pub(super) struct Socket(TcpStream);

impl Socket {
    pub(super) async fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.unwrap();
    }

    /// The code of a CONNACK.
    pub(super) async fn connack(&mut self) -> u8 {
        let (kind, body) = self.packet().await.unwrap();
        assert_eq!((kind, body[0]), (0x20, 0));
        body[1]
    }

    /// The next packet: its first byte and its body. `None`: the connection has ended.
    pub(super) async fn packet(&mut self) -> Option<(u8, Vec<u8>)> {
        tokio::time::timeout(PATIENCE, self.read()).await.unwrap().ok()
    }

    /// What has come by now.
    pub(super) fn arrived(&self) -> Vec<u8> {
        let mut bytes = vec![0; 1 << 20];
        let length = self.0.try_read(&mut bytes).unwrap_or(0);
        bytes.truncate(length);
        bytes
    }

    async fn read(&mut self) -> std::io::Result<(u8, Vec<u8>)> {
        let kind = self.0.read_u8().await?;
        let (mut length, mut shift) = (0_usize, 0);
        loop {
            let byte = self.0.read_u8().await?;
            length |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte < 0x80 {
                break;
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).await?;
        Ok((kind, body))
    }

    /// Sends the same bytes again and again without reading; how many were sent when the server ended the connection.
    pub(super) async fn flood(&mut self, bytes: &[u8], most: usize) -> Option<usize> {
        let mut sent = 0;
        while sent < most {
            match tokio::time::timeout(PATIENCE, self.0.write_all(bytes)).await.unwrap() {
                Ok(()) => sent += bytes.len(),
                Err(_ended) => return Some(sent),
            }
        }
        None
    }
}

/// One packet.
pub(super) fn packet(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind];
    let mut length = body.len();
    loop {
        let low = u8::try_from(length % 128).unwrap();
        length /= 128;
        bytes.push(if length > 0 { low | 0x80 } else { low });
        if length == 0 {
            break;
        }
    }
    bytes.extend_from_slice(body);
    bytes
}

/// A text with its length before it.
pub(super) fn text(text: &str) -> Vec<u8> {
    let mut bytes = u16::try_from(text.len()).unwrap().to_be_bytes().to_vec();
    bytes.extend_from_slice(text.as_bytes());
    bytes
}

/// A CONNECT that is right.
pub(super) fn connect(key: &str, keep_alive: u16) -> Vec<u8> {
    packet(0x10, &[connect_head(4, keep_alive), strings(&login(key))].concat())
}

/// The strings of a CONNECT that is right.
pub(super) fn strings(login: &Login) -> Vec<u8> {
    let strings = login.to_connect("secret");
    [strings.client_id, strings.user_name, strings.password]
        .map(|it| text(&it))
        .concat()
}

/// A CONNECT of MQTT 5 by `d1`, with these flags, properties and will.
pub(super) fn connect5(flags: u8, properties: &[u8], will: &[u8]) -> Vec<u8> {
    let properties = [&[u8::try_from(properties.len()).unwrap()], properties].concat();
    connect_with(("d1", SecureMode::DeviceSecret, "secret"), 5, flags, &properties, will)
}

/// A CONNECT: whose, in which mode and with which secret; then what stands before the strings, and behind the first.
pub(super) fn connect_with(
    (key, secure_mode, secret): (&str, SecureMode, &str),
    level: u8,
    flags: u8,
    properties: &[u8],
    will: &[u8],
) -> Vec<u8> {
    let claims = Login {
        secure_mode,
        ..login(key)
    };
    let strings = claims.to_connect(secret);
    let [client_id, user_name, password] = [strings.client_id, strings.user_name, strings.password].map(|it| text(&it));
    let head = [&text("MQTT")[..], &[level, flags, 0, 60]].concat();
    packet(
        0x10,
        &[&head, properties, &client_id, will, &user_name, &password].concat(),
    )
}

pub(super) fn login(key: &str) -> Login {
    Login {
        client_id: key.to_owned(),
        device_key: key.into(),
        product_key: "pk".into(),
        secure_mode: SecureMode::DeviceSecret,
        sign_method: SignMethod::Sha256,
        timestamp: "1".to_owned(),
        compression: Compression::None,
    }
}

/// What stands before the strings of a CONNECT.
pub(super) fn connect_head(level: u8, keep_alive: u16) -> Vec<u8> {
    [&text("MQTT")[..], &[level, 0xc2], &keep_alive.to_be_bytes()].concat()
}

/// A PUBLISH with QoS 0.
pub(super) fn publish(topic: &str, payload: &str) -> Vec<u8> {
    packet(0x30, &[&text(topic)[..], payload.as_bytes()].concat())
}
