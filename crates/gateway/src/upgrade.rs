//! A connection that begins with an HTTP request wants MQTT in a WebSocket, and is answered (docs/device-protocol.md,
//! "WebSocket"). All other connections begin with MQTT.

use std::io;

use tungstenite::handshake::machine::TryParse as _;
use tungstenite::handshake::server::{Request, Response, create_response, write_response};
use tungstenite::http::HeaderValue;
use tungstenite::http::header::SEC_WEBSOCKET_PROTOCOL;

use super::socket::AFTER_REFUSAL;
use super::transport::Transport;

/// How a request for a WebSocket begins, and MQTT never does.
const REQUEST: u8 = b'G';
/// Longest request: a browser's cookies fit into it.
const REQUEST_MAX_BYTES: usize = 8 * 1024;
/// Asked of the operating system at once.
const READ_BYTES: usize = 1024;
/// The names of MQTT among what may be said in a WebSocket, the preferred first: the standard's, for every version, and
/// that of clients from before it.
const SUBPROTOCOLS: [&str; 2] = ["mqtt", "mqttv3.1"];

/// Lays MQTT into a WebSocket if the other side asks for that. The MQTT that has been read already.
///
/// # Errors
/// Those of the socket; `InvalidData` for a request that is refused, which its sender has been told.
pub(super) async fn agree(transport: &mut Transport) -> io::Result<Vec<u8>> {
    let mut read = Vec::new();
    read_more(transport, &mut read).await?;
    if read.first() != Some(&REQUEST) {
        return Ok(read);
    }
    match requested(transport, &mut read).await {
        Ok(response) => {
            let mut output = Vec::new();
            write_response(&mut output, &response).map_err(refused)?;
            send(transport, output).await?;
            transport.be_framed(read)
        }
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            send(transport, refusal(&error)).await?;
            tokio::time::sleep(AFTER_REFUSAL).await;
            Err(error)
        }
        Err(error) => Err(error),
    }
}

/// What is to be answered to the request; afterwards `read` is what came behind it.
async fn requested(transport: &Transport, read: &mut Vec<u8>) -> io::Result<Response> {
    loop {
        if let Some((length, request)) = Request::try_parse(read).map_err(refused)? {
            read.drain(..length);
            return respond(&request);
        }
        if read.len() >= REQUEST_MAX_BYTES {
            return Err(refused("the request is too long"));
        }
        read_more(transport, read).await?;
    }
}

fn respond(request: &Request) -> io::Result<Response> {
    let mut response = create_response(request).map_err(refused)?;
    let offered = request.headers().get_all(SEC_WEBSOCKET_PROTOCOL);
    let offered: Vec<&str> = offered
        .iter()
        .filter_map(|names| names.to_str().ok())
        .flat_map(|names| names.split(','))
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .collect();
    let known = SUBPROTOCOLS
        .iter()
        .find_map(|known| offered.iter().find(|name| name.eq_ignore_ascii_case(known)));
    match known {
        Some(name) => {
            let agreed = HeaderValue::from_str(name).map_err(refused)?;
            response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, agreed);
        }
        // A client that offers none gets none: naming one would make it close the connection.
        None if offered.is_empty() => {}
        None => return Err(refused("of the subprotocols mqtt and mqttv3.1 neither is offered")),
    }
    Ok(response)
}

fn refused(why: impl ToString) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.to_string())
}

fn refusal(why: &io::Error) -> Vec<u8> {
    let text = format!("devices connect here, by MQTT or by MQTT in a WebSocket: {why}\n");
    let length = text.len();
    format!(
        "HTTP/1.1 400 Bad Request\r\nSec-WebSocket-Version: 13\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n{text}"
    )
    .into_bytes()
}

/// Waits for something to read, and for more to come if there is nothing.
async fn read_more(transport: &Transport, read: &mut Vec<u8>) -> io::Result<()> {
    loop {
        let before = read.len();
        read.resize(before + READ_BYTES, 0);
        let received = transport.receive(&mut read[before..]);
        read.truncate(before + received.as_ref().map_or(0, |received| received.bytes));
        if received?.bytes > 0 {
            return Ok(());
        }
        transport.readable().await?;
    }
}

async fn send(transport: &Transport, mut output: Vec<u8>) -> io::Result<()> {
    loop {
        transport.send(&mut output)?;
        if output.is_empty() {
            return Ok(());
        }
        transport.writable().await?;
    }
}
