//! What a call has to look like on a server without authentication (docs/operating.md, "Without authentication").
//!
//! Such a server trusts every program of its machine. A browser is one of them, and it sends what any web page tells it
//! to: a page of a foreign site may send simple requests (CORS), and a name of its own may lead to the loopback address
//! (DNS rebinding). Both can be told from the headers that a page cannot set.

use std::net::{Ipv4Addr, Ipv6Addr};

use axum::http::uri::{Authority, Scheme};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};

use super::error::Failing;

/// The header in which browsers say which site a request comes from.
const SEC_FETCH_SITE: &str = "sec-fetch-site";
/// Its values for the server's own pages, and for what a person typed.
const OWN_SITE: [&str; 2] = ["same-origin", "none"];
/// The one media type of changes: a page of a foreign site cannot send it without asking first.
const JSON: &str = "application/json";

/// Refuses a request that a foreign web page may have sent.
pub(super) fn check_origin(uri: &Uri, headers: &HeaderMap) -> Result<(), Failing> {
    let named = headers.get_all(header::HOST).iter().map(text);
    let named = uri.authority().map(Authority::as_str).into_iter().chain(named);
    let mut port = None;
    for host in named {
        let authority = host.parse::<Authority>().ok().filter(is_loopback);
        let authority = authority.ok_or_else(|| refused("Host", "name or address of this machine's loopback", host))?;
        port = Some(authority.port_u16());
    }
    for origin in headers.get_all(header::ORIGIN).iter().map(text) {
        if !is_own(origin, port) {
            return Err(refused("Origin", "page of this server (or no such header)", origin));
        }
    }
    for site in headers.get_all(SEC_FETCH_SITE).iter().map(text) {
        if !OWN_SITE.contains(&site) {
            return Err(refused("Sec-Fetch-Site", "same-origin, none or no such header", site));
        }
    }
    Ok(())
}

/// Refuses a change that a foreign web page could send as a simple request.
pub(super) fn check_media_type(headers: &HeaderMap) -> Result<(), Failing> {
    let given = headers.get(header::CONTENT_TYPE).map(text);
    let essence = given.and_then(|given| given.split(';').next()).map(str::trim);
    if essence.is_some_and(|essence| essence.eq_ignore_ascii_case(JSON)) {
        return Ok(());
    }
    let found = given.map_or_else(|| "nothing".to_owned(), |given| format!("\"{given}\""));
    let message = format!("Content-Type: expected {JSON} in an unsigned change, found {found}");
    Err(Failing::gateway(StatusCode::UNSUPPORTED_MEDIA_TYPE, message))
}

fn refused(field: &str, expected: &str, found: &str) -> Failing {
    let message = format!("{field}: {expected} expected on a server without authentication, found \"{found}\"");
    Failing::gateway(StatusCode::FORBIDDEN, message)
}

/// A header's value; one that is no text is none of the expected ones.
fn text(value: &HeaderValue) -> &str {
    value.to_str().map_or("?", str::trim)
}

/// Browsers resolve `localhost` and all names below it by themselves, to the loopback address.
fn is_loopback(authority: &Authority) -> bool {
    let host = authority.host();
    if authority.as_str().contains('@') {
        return false;
    }
    if let Some(address) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return address.parse::<Ipv6Addr>().is_ok_and(|address| {
            address.is_loopback() || address.to_ipv4_mapped().is_some_and(|address| address.is_loopback())
        });
    }
    if let Ok(address) = host.parse::<Ipv4Addr>() {
        return address.is_loopback();
    }
    let name = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

/// Whether an origin is this server's: a loopback name with the port that the request went to. Another port is another
/// program's page. `port` is that of the request's Host, `None` if there is no Host.
fn is_own(origin: &str, port: Option<Option<u16>>) -> bool {
    let Ok(origin) = origin.parse::<Uri>() else {
        return false;
    };
    let (Some(scheme), Some(authority)) = (origin.scheme(), origin.authority()) else {
        return false;
    };
    let default = if *scheme == Scheme::HTTPS { 443 } else { 80 };
    let known = *scheme == Scheme::HTTP || *scheme == Scheme::HTTPS;
    let theirs = authority.port_u16().unwrap_or(default);
    known && is_loopback(authority) && port.is_some_and(|ours| ours.unwrap_or(default) == theirs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(given: &[(&'static str, &str)]) -> HeaderMap {
        let header =
            |(name, value): &(&'static str, &str)| (axum::http::HeaderName::from_static(name), value.parse().unwrap());
        given.iter().map(header).collect()
    }

    fn admits(given: &[(&'static str, &str)]) -> bool {
        check_origin(&Uri::from_static("/x"), &headers(given)).is_ok()
    }

    #[test]
    fn a_host_is_accepted_exactly_if_it_is_loopback() {
        for host in [
            "localhost",
            "LOCALHOST:8080",
            "localhost.",
            "console.localhost:8080",
            "127.0.0.1",
            "127.8.9.1:80",
            "[::1]",
            "[::1]:8080",
            "[::ffff:127.0.0.1]:8080",
        ] {
            assert!(admits(&[("host", host)]), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "evil.example:8080",
            "localhost.evil.example",
            "notlocalhost",
            "127.0.0.1.evil.example",
            "localhost@evil.example",
            "evil.example@localhost",
            "0.0.0.0:8080",
            "192.168.1.1",
            "[::]",
            "[fe80::1]:8080",
            "2130706433",
            "localhost:8080:9",
        ] {
            assert!(!admits(&[("host", host)]), "{host}");
        }
        assert!(!admits(&[("host", "localhost"), ("host", "evil.example")]));
        let absolute = Uri::from_static("http://evil.example/x");
        assert!(check_origin(&absolute, &headers(&[("host", "localhost")])).is_err());
    }

    #[test]
    fn only_the_servers_own_pages_may_call() {
        let at = |host: &str, origin: &str| admits(&[("host", host), ("origin", origin)]);
        assert!(at("127.0.0.1:8080", "http://127.0.0.1:8080"));
        assert!(at("127.0.0.1:8080", "http://localhost:8080"));
        assert!(at("localhost", "https://localhost"));
        for origin in [
            "https://evil.example",
            "http://evil.example:8080",
            "http://localhost:3000",
            "http://localhost",
            "null",
            "",
            "file://",
            "ftp://localhost:8080",
            "localhost:8080",
        ] {
            assert!(!at("127.0.0.1:8080", origin), "{origin}");
        }
        assert!(!admits(&[("origin", "http://localhost")]), "without a Host");
        for (site, admitted) in [
            ("same-origin", true),
            ("none", true),
            ("cross-site", false),
            ("same-site", false),
            ("Cross-Site", false),
        ] {
            let given = [("host", "localhost"), ("sec-fetch-site", site)];
            assert_eq!(admits(&given), admitted, "{site}");
        }
    }

    #[test]
    fn a_change_needs_the_media_type_of_json() {
        let checked = |value: &str| check_media_type(&headers(&[("content-type", value)])).is_ok();
        for good in [
            "application/json",
            "Application/JSON;charset=UTF-8",
            "application/json ; x=y",
        ] {
            assert!(checked(good), "{good}");
        }
        for bad in [
            "text/plain",
            "text/plain;application/json",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=application/json",
            "application/jsonp",
            "",
        ] {
            assert!(!checked(bad), "{bad}");
        }
        assert!(check_media_type(&HeaderMap::new()).is_err());
    }
}
