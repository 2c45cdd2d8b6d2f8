//! [`Guard`]: which hosts a request may name, and which pages may send commands.
//!
//! A page on another site can make a browser send requests to the panel in two ways. With DNS
//! rebinding, the site gives its own name the address of the panel. The name is then the host of
//! the request, so only known hosts are answered. Otherwise, the origin of the request is that of
//! the other page, so only known origins may give commands. Headers that a proxy sets, such as
//! `X-Forwarded-Host`, are never read.

use crate::error::BuildError;
use http::header::{CONTENT_TYPE, HOST, ORIGIN};
use http::request::Parts;
use http::uri::Authority;
use http::{HeaderMap, StatusCode};
use std::net::{IpAddr, Ipv6Addr};

/// The header that pages of other origins cannot send.
const MARK: &str = "x-breakerbox-panel";
const FETCH_SITE: &str = "sec-fetch-site";

/// The hosts and origins of a panel.
#[derive(Debug, Default)]
pub(crate) struct Guard {
    /// Lower-case names.
    hosts: Vec<String>,
    any_host: bool,
    /// `scheme://host`, with a port unless it is that of the scheme; lower-case.
    origins: Vec<String>,
}

/// A refused request: a status, and what to do.
pub(crate) type Refusal = (StatusCode, String);

/// A host with an optional port, lower-case.
#[derive(Debug, PartialEq)]
struct Host<'a> {
    name: &'a str,
    port: Option<u16>,
}

impl Guard {
    /// Checks the names of hosts and the origins of a builder.
    pub(crate) fn new(
        hosts: &[String],
        any_host: bool,
        origins: &[String],
    ) -> Result<Self, BuildError> {
        let hosts = hosts.iter().map(|host| {
            let name = host.to_ascii_lowercase();
            let is_name = Host::parse(&name).is_some_and(|parsed| parsed.name == name);
            let allowed = "the name of a host without a scheme and a port";
            let invalid = || BuildError::invalid("allowed_hosts", host, allowed);
            is_name.then_some(name).ok_or_else(invalid)
        });
        Ok(Self {
            hosts: hosts.collect::<Result<_, _>>()?,
            any_host,
            origins: checked_origins("origins", origins)?,
        })
    }

    /// Checks the host of a request.
    pub(crate) fn check_host(&self, head: &Parts) -> Result<(), Refusal> {
        let authority = head.uri.authority().map(Authority::as_str);
        let mut hosts = head.headers.get_all(HOST).iter();
        let header = hosts.next();
        if hosts.next().is_some() {
            let message = "the request has several `Host` headers; send one";
            return Err((StatusCode::BAD_REQUEST, message.to_owned()));
        }
        let header = header.map(|host| host.to_str().unwrap_or_default());
        // HTTP/2 has the host in the URI. With both, both must be known.
        let named: Vec<&str> = authority.into_iter().chain(header).collect();
        if !named.is_empty() && named.iter().all(|host| self.is_known(host)) {
            return Ok(());
        }
        let host = named.first().copied().unwrap_or_default();
        let host: String = host.chars().take(100).collect();
        let message = format!(
            "the panel does not answer for the host {host:?}; add its name to `allowed_hosts`, or call \
             the panel by an IP address or as localhost"
        );
        Err((StatusCode::MISDIRECTED_REQUEST, message))
    }

    /// Rebinding needs a name, so an address is always known.
    fn is_known(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        let Some(Host { name, .. }) = Host::parse(&host) else {
            return false;
        };
        self.any_host || name == "localhost" || is_address(name) || {
            self.hosts.iter().any(|known| known == name)
        }
    }

    /// Checks that a request for data comes from the page of the panel, or from no page at all.
    ///
    /// Another site could not read the answer, but could open all streams.
    pub(crate) fn check_reader(headers: &HeaderMap) -> Result<(), Refusal> {
        match headers.get(FETCH_SITE).map(http::HeaderValue::as_bytes) {
            None | Some(b"same-origin" | b"none") => Ok(()),
            Some(_) => Err((
                StatusCode::FORBIDDEN,
                "a page of another site may not read the panel; open the panel itself".to_owned(),
            )),
        }
    }

    /// Checks that a command comes from the page of the panel, or from a program.
    pub(crate) fn check_sender(&self, head: &Parts) -> Result<(), Refusal> {
        let headers = &head.headers;
        let forbidden = |message: &str| Err((StatusCode::FORBIDDEN, message.to_owned()));
        if !is_json(headers) {
            let message = "send the command as `content-type: application/json`".to_owned();
            return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
        }
        if !headers.contains_key(MARK) {
            return forbidden("send the header `x-breakerbox-panel: 1` with each command");
        }
        let site = headers.get(FETCH_SITE).map(http::HeaderValue::as_bytes);
        if site.is_some_and(|site| site != b"same-origin") {
            return forbidden("a page of another site may give no commands; open the panel itself");
        }
        let mut origins = headers.get_all(ORIGIN).iter();
        let Some(origin) = origins.next() else {
            // Browsers send an origin with each such request. A program sends neither header.
            return match site {
                None => Ok(()),
                Some(_) => forbidden("the request of a browser has no `Origin` header"),
            };
        };
        let origin = origin.to_str().unwrap_or_default().to_ascii_lowercase();
        if origins.next().is_none() && self.is_own(&origin, head) {
            return Ok(());
        }
        let origin: String = origin.chars().take(100).collect();
        Err((
            StatusCode::FORBIDDEN,
            format!(
                "pages of the origin {origin:?} may give no commands; if a proxy changes the `Host` \
                 header, add the origin of the panel in the browser to `origins`"
            ),
        ))
    }

    /// Returns `true` if `origin` is listed, or has the host and the port of the request.
    fn is_own(&self, origin: &str, head: &Parts) -> bool {
        let Some((scheme, host)) = split_origin(origin) else {
            return false;
        };
        if self
            .origins
            .iter()
            .any(|listed| *listed == normal(scheme, &host))
        {
            return true;
        }
        let header = head.headers.get(HOST).and_then(|host| host.to_str().ok());
        let authority = head.uri.authority().map(Authority::as_str);
        let requested = authority
            .or(header)
            .unwrap_or_default()
            .to_ascii_lowercase();
        let default = default_port(scheme);
        let port = |host: &Host<'_>| host.port.or(default);
        Host::parse(&requested)
            .is_some_and(|requested| requested.name == host.name && port(&requested) == port(&host))
    }
}

/// Checks origins, and returns them as browsers send them.
pub(crate) fn checked_origins(
    setting: &'static str,
    origins: &[String],
) -> Result<Vec<String>, BuildError> {
    let origins = origins.iter().map(|origin| {
        let lower = origin.to_ascii_lowercase();
        let lower = lower.strip_suffix('/').unwrap_or(&lower);
        let allowed = "an origin such as https://ops.example.com";
        split_origin(lower)
            .map(|(scheme, host)| normal(scheme, &host))
            .ok_or_else(|| BuildError::invalid(setting, origin, allowed))
    });
    origins.collect()
}

fn split_origin(origin: &str) -> Option<(&str, Host<'_>)> {
    let (scheme, host) = origin.split_once("://")?;
    default_port(scheme)?;
    Some((scheme, Host::parse(host)?))
}

fn normal(scheme: &str, host: &Host<'_>) -> String {
    match host.port.filter(|port| Some(*port) != default_port(scheme)) {
        Some(port) => format!("{scheme}://{}:{port}", host.name),
        None => format!("{scheme}://{}", host.name),
    }
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

/// Returns `true` for `127.0.0.1` and `[::1]`.
fn is_address(name: &str) -> bool {
    match name
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
    {
        Some(inner) => inner.parse::<Ipv6Addr>().is_ok(),
        None => name
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_ipv4()),
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let first = types.next().and_then(|value| value.to_str().ok());
    let essence = first.map(|value| value.split(';').next().unwrap_or_default().trim());
    types.next().is_none()
        && essence.is_some_and(|essence| essence.eq_ignore_ascii_case("application/json"))
}

impl<'a> Host<'a> {
    /// Parses a lower-case host. Users before an `@`, spaces and other characters that no host has
    /// are rejected.
    fn parse(host: &'a str) -> Option<Self> {
        let (name, port) = match host.rsplit_once(':') {
            Some((name, port)) if !port.contains(']') => (name, Some(port.parse().ok()?)),
            _ => (host, None),
        };
        let is_plain = |name: &str| {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
            !name.is_empty() && name.bytes().all(plain)
        };
        let is_host = name.starts_with('[') && is_address(name) || is_plain(name);
        is_host.then_some(Self { name, port })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    fn guard(hosts: &[&str], origins: &[&str]) -> Guard {
        let owned = |texts: &[&str]| texts.iter().map(ToString::to_string).collect::<Vec<_>>();
        Guard::new(&owned(hosts), false, &owned(origins)).expect("valid")
    }

    fn head(host: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::get("/").header("host", host);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).expect("a request").into_parts().0
    }

    #[test]
    fn addresses_and_localhost_are_known_hosts() {
        let guard = guard(&["ops.internal"], &[]);
        for host in [
            "localhost",
            "LOCALHOST:9000",
            "127.0.0.1",
            "10.1.2.3:80",
            "[::1]:9000",
            "[fe80::1]",
            "ops.internal",
            "OPS.internal:8443",
        ] {
            assert!(guard.check_host(&head(host, &[])).is_ok(), "{host}");
        }
    }

    #[test]
    fn other_names_and_malformed_hosts_are_refused() {
        let guard = guard(&["ops.internal"], &[]);
        for host in [
            "",
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "127.1",
            "0x7f.1",
            "2130706433",
            "user@localhost",
            "localhost@evil.example",
            "[::1",
            "::1",
            "localhost:",
            "localhost:x",
            "localhost:99999",
            "localhost.",
            "ops.internal.evil.example",
            "[evil.example]",
            "127.0.0.1 ",
            "127.0.0.1,evil.example",
            "[::1]evil.example",
        ] {
            let refused = guard.check_host(&head(host, &[])).expect_err(host);
            assert_eq!(refused.0, StatusCode::MISDIRECTED_REQUEST, "{host}");
            assert!(refused.1.contains("`allowed_hosts`"));
        }
    }

    #[test]
    fn authority_and_header_must_both_be_known() {
        let guard = guard(&[], &[]);
        for (uri, host, known) in [
            ("http://127.0.0.1/", None, true),
            ("http://evil.example/", None, false),
            ("http://127.0.0.1/", Some("evil.example"), false),
            ("http://evil.example/", Some("127.0.0.1"), false),
            ("/", None, false),
        ] {
            let mut request = Request::get(uri);
            if let Some(host) = host {
                request = request.header("host", host);
            }
            let head = request.body(()).expect("a request").into_parts().0;
            assert_eq!(guard.check_host(&head).is_ok(), known, "{uri} {host:?}");
        }
        let mut twice = head("localhost", &[]);
        twice
            .headers
            .append(HOST, "localhost".parse().expect("a value"));
        let refused = guard.check_host(&twice).expect_err("two hosts");
        assert_eq!(refused.0, StatusCode::BAD_REQUEST);
    }

    #[test]
    fn sender_must_be_page_of_panel_or_program() {
        let guard = guard(&["inner"], &["https://Ops.example.com:443/"]);
        let json = ("content-type", "application/json; charset=utf-8");
        let mark = ("x-breakerbox-panel", "1");
        let check = |host: &str, more: &[(&str, &str)]| {
            let headers: Vec<_> = [json, mark].iter().chain(more).copied().collect();
            guard.check_sender(&head(host, &headers)).is_ok()
        };
        let same = ("sec-fetch-site", "same-origin");
        assert!(check("localhost", &[]), "a program");
        assert!(!check("localhost", &[same]), "a browser without an origin");
        for (host, origin, own) in [
            ("localhost:9000", "http://localhost:9000", true),
            ("localhost:9000", "HTTP://LOCALHOST:9000", true),
            ("localhost:9000", "http://localhost:9001", false),
            ("localhost", "http://localhost", true),
            ("localhost:80", "http://localhost", true),
            ("localhost", "https://localhost:443", true),
            ("localhost:443", "https://localhost", true),
            ("localhost:443", "http://localhost", false),
            ("inner", "https://ops.example.com", true),
            ("inner", "https://ops.example.com:8443", false),
            ("inner", "http://ops.example.com", false),
            ("inner", "https://evil.example", false),
            ("localhost", "null", false),
            ("localhost", "", false),
            ("localhost", "file://localhost", false),
            ("localhost", "http://localhost@evil.example", false),
            ("[::1]:9000", "http://[::1]:9000", true),
        ] {
            assert_eq!(
                check(host, &[("origin", origin), same]),
                own,
                "{host} {origin}"
            );
            assert_eq!(check(host, &[("origin", origin)]), own, "{host} {origin}");
        }
        let own = ("origin", "http://localhost");
        for site in ["cross-site", "same-site", "none", ""] {
            assert!(
                !check("localhost", &[own, ("sec-fetch-site", site)]),
                "{site}"
            );
        }
        assert!(!check("localhost", &[own, own]), "two origins");
    }

    #[test]
    fn sender_needs_mark_and_content_type() {
        let guard = guard(&[], &[]);
        let status = |headers: &[(&str, &str)]| {
            let checked = guard.check_sender(&head("localhost", headers));
            checked.map_err(|(status, _)| status.as_u16())
        };
        let json = ("content-type", "application/json");
        assert_eq!(status(&[json]), Err(403));
        for other in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data",
            "",
        ] {
            assert_eq!(
                status(&[("content-type", other), ("x-breakerbox-panel", "1")]),
                Err(415)
            );
        }
        assert_eq!(status(&[("x-breakerbox-panel", "1")]), Err(415));
        assert_eq!(status(&[json, json, ("x-breakerbox-panel", "1")]), Err(415));
    }

    #[test]
    fn settings_with_invalid_hosts_and_origins_are_refused() {
        for host in [
            "",
            "http://ops",
            "ops:80",
            "a b",
            "*.example.com",
            "user@ops",
        ] {
            assert!(
                Guard::new(&[host.to_owned()], false, &[]).is_err(),
                "{host}"
            );
        }
        for origin in [
            "",
            "ops",
            "null",
            "*",
            "ftp://ops",
            "https://",
            "https://a/b",
            "https://a;b",
        ] {
            assert!(
                Guard::new(&[], false, &[origin.to_owned()]).is_err(),
                "{origin}"
            );
        }
    }
}
