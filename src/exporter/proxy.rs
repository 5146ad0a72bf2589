//! Which proxy a request goes through: `proxy_url`, or `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` of
//! the environment by the rules of Go's `net/http` and grpc-go, which the Collector follows.
//! Who opens the connection is in [`super::dial`].
//!
//! | | through |
//! |---|---|
//! | `otlp_http` with `proxy_url` | that, whatever the host |
//! | `otlp_http` to `https://` | `HTTPS_PROXY`, as a tunnel (CONNECT) |
//! | `otlp_http` to `http://` | `HTTP_PROXY`, which is given the whole URL |
//! | `otlp_grpc`, encrypted or not | `HTTPS_PROXY`, as a tunnel |
//! | `localhost`, loopback addresses and what `NO_PROXY` names | no proxy of the environment |

use std::fmt;
use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::uri::Scheme;
use http::{HeaderValue, Uri};
use thiserror::Error;

use super::settings::Transport;

/// Why a proxy cannot be used. The URL is not repeated: it can hold a password.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ProxyError {
    /// Not a URL.
    #[error("{place} is not the URL of a proxy; expected http://host:port")]
    Malformed {
        /// The setting or the variable.
        place: &'static str,
    },
    /// SOCKS, or a proxy that is spoken to over TLS.
    #[error(
        "{place}: a proxy is reached over {scheme}://, which is not spoken here; expected http://host:port, \
         or the host in NO_PROXY"
    )]
    Scheme {
        /// The setting or the variable.
        place: &'static str,
        /// What was said.
        scheme: String,
    },
}

/// A proxy.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Proxy {
    /// `http://host:port`.
    pub(crate) uri: Uri,
    /// `Proxy-Authorization`, if there are credentials.
    pub(crate) authorization: Option<HeaderValue>,
}

/// The credentials are not shown.
impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy").field("uri", &self.uri).finish_non_exhaustive()
    }
}

/// How a connection to a host is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route<'p> {
    /// Straight.
    Direct,
    /// The proxy is asked for a tunnel, and what is in it is not its business.
    Tunnel(&'p Proxy),
    /// The proxy is given the request with the whole URL.
    Forward(&'p Proxy),
}

/// The proxies of one exporter.
#[derive(Debug, Clone, Default)]
pub(crate) struct Proxies {
    for_http: Option<Proxy>,
    for_https: Option<Proxy>,
    except: Exceptions,
}

impl Proxies {
    /// `proxy_url`: every request goes through it, as with Go's `http.ProxyURL`.
    pub(crate) fn fixed(url: &str) -> Result<Proxies, ProxyError> {
        let proxy = Some(parse("proxy_url", url)?);
        Ok(Proxies { for_http: proxy.clone(), for_https: proxy, except: Exceptions::default() })
    }

    /// What the environment says. A variable in capitals wins over one in small letters, and an
    /// empty one says nothing.
    pub(crate) fn of_environment(variable: &dyn Fn(&str) -> Option<String>) -> Result<Proxies, ProxyError> {
        let either = |names: [&'static str; 2]| {
            names.into_iter().find_map(|name| Some((name, variable(name).filter(|value| !value.is_empty())?)))
        };
        let proxy = |names| either(names).map(|(name, url)| parse(name, &url)).transpose();
        Ok(Proxies {
            for_http: proxy(["HTTP_PROXY", "http_proxy"])?,
            for_https: proxy(["HTTPS_PROXY", "https_proxy"])?,
            except: Exceptions::of_environment(
                &either(["NO_PROXY", "no_proxy"]).map(|(_, list)| list).unwrap_or_default(),
            ),
        })
    }

    /// How `uri` is reached.
    pub(crate) fn route(&self, transport: Transport, uri: &Uri) -> Route<'_> {
        let encrypted = uri.scheme() == Some(&Scheme::HTTPS);
        // grpc-go looks for the proxy of https:// also where it does not encrypt.
        let tunnels = encrypted || transport == Transport::Grpc;
        let proxy = if tunnels { &self.for_https } else { &self.for_http };
        match proxy {
            Some(proxy) if !self.except.holds(uri) => match tunnels {
                true => Route::Tunnel(proxy),
                false => Route::Forward(proxy),
            },
            _ => Route::Direct,
        }
    }
}

/// `http://user:password@host:port`; without a scheme, `http://` is meant.
fn parse(place: &'static str, text: &str) -> Result<Proxy, ProxyError> {
    let malformed = ProxyError::Malformed { place };
    let (scheme, rest) = text.trim().split_once("://").unwrap_or(("http", text.trim()));
    if scheme != "http" {
        // What stands before :// could be anything that was pasted there.
        let known = ["https", "socks4", "socks5", "socks5h"].into_iter().find(|known| *known == scheme);
        return Err(known.map_or(malformed, |scheme| ProxyError::Scheme { place, scheme: scheme.into() }));
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let (user, host) = match authority.rsplit_once('@') {
        Some((user, host)) => (Some(user), host),
        None => (None, authority),
    };
    let uri: Uri = format!("http://{host}").parse().map_err(|_| malformed.clone())?;
    let named = uri.host().is_some_and(|host| !host.is_empty());
    let port = host.strip_prefix(uri.host().unwrap_or_default()).unwrap_or_default();
    if !named || (!port.is_empty() && uri.port_u16().is_none_or(|port| port == 0)) {
        return Err(malformed);
    }
    let authorization = match user {
        None => None,
        Some(user) => {
            let (name, password) = user.split_once(':').unwrap_or((user, ""));
            let pair = [unescaped(name), b":".to_vec(), unescaped(password)].concat();
            let value = format!("Basic {}", STANDARD.encode(pair));
            let mut value = HeaderValue::from_str(&value).map_err(|_| malformed.clone())?;
            value.set_sensitive(true);
            Some(value)
        }
    };
    Ok(Proxy { uri, authorization })
}

/// Percent signs resolved, as far as they are ones.
fn unescaped(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let digit = |at: usize| after.get(at).and_then(|digit| char::from(*digit).to_digit(16));
        match (byte, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                // Two hexadecimal digits are a byte.
                out.push((high * 16 + low) as u8);
                rest = after.get(2..).unwrap_or_default();
            }
            _ => {
                out.push(byte);
                rest = after;
            }
        }
    }
    out
}

/// Hosts that are reached without the environment's proxies.
#[derive(Debug, Clone, Default)]
struct Exceptions {
    /// `*`.
    all: bool,
    /// `localhost` and loopback addresses: for proxies of the environment.
    loopback: bool,
    networks: Vec<(IpAddr, u8)>,
    addresses: Vec<(IpAddr, Option<u16>)>,
    domains: Vec<Domain>,
}

#[derive(Debug, Clone)]
struct Domain {
    /// With a dot before it.
    suffix: String,
    /// The name itself as well, not only what is below it.
    itself: bool,
    port: Option<u16>,
}

impl Exceptions {
    fn of_environment(list: &str) -> Exceptions {
        let mut exceptions = Exceptions { loopback: true, ..Exceptions::default() };
        for entry in list.split(',').map(|entry| entry.trim().to_ascii_lowercase()) {
            exceptions.add(&entry);
        }
        exceptions
    }

    /// Entries that are none are passed over, as in Go.
    fn add(&mut self, entry: &str) {
        if entry == "*" {
            self.all = true;
            return;
        }
        if let Some((address, bits)) = entry.split_once('/')
            && let (Ok(address), Ok(bits)) = (address.parse::<IpAddr>(), bits.parse::<u8>())
            && bits <= if address.is_ipv4() { 32 } else { 128 }
        {
            self.networks.push((address, bits));
            return;
        }
        let (host, port) = match entry.rsplit_once(':') {
            // More colons without brackets are an IPv6 address.
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => match port.parse() {
                Ok(port) => (host, Some(port)),
                Err(_) => return,
            },
            _ => (entry, None),
        };
        let host = host.trim_matches(['[', ']']);
        if let Ok(address) = host.parse() {
            self.addresses.push((address, port));
            return;
        }
        let host = host.strip_prefix('*').filter(|rest| rest.starts_with('.')).unwrap_or(host);
        match host.strip_prefix('.') {
            Some("") => {}
            Some(_) => self.domains.push(Domain { suffix: host.to_owned(), itself: false, port }),
            None if host.is_empty() => {}
            None => self.domains.push(Domain { suffix: format!(".{host}"), itself: true, port }),
        }
    }

    fn holds(&self, uri: &Uri) -> bool {
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_ascii_lowercase();
        let usual = if uri.scheme() == Some(&Scheme::HTTPS) { 443 } else { 80 };
        let port = uri.port_u16().unwrap_or(usual);
        let at = |wanted: Option<u16>| wanted.is_none_or(|wanted| wanted == port);
        if self.all || (self.loopback && host == "localhost") {
            return true;
        }
        if let Ok(address) = host.parse::<IpAddr>()
            && ((self.loopback && address.is_loopback())
                || self.networks.iter().any(|(network, bits)| within(address, *network, *bits))
                || self.addresses.iter().any(|(known, port)| *known == address && at(*port)))
        {
            return true;
        }
        self.domains.iter().any(|domain| {
            let itself = domain.itself && domain.suffix.strip_prefix('.') == Some(host.as_str());
            (itself || host.ends_with(&domain.suffix)) && at(domain.port)
        })
    }
}

/// Whether the first `bits` of both addresses are the same.
fn within(address: IpAddr, network: IpAddr, bits: u8) -> bool {
    let same = |a: u128, b: u128, width: u8| bits == 0 || (a ^ b) >> (width - bits) == 0;
    match (address, network) {
        (IpAddr::V4(a), IpAddr::V4(b)) => same(u32::from(a).into(), u32::from(b).into(), 32),
        (IpAddr::V6(a), IpAddr::V6(b)) => same(a.into(), b.into(), 128),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Result<Proxies, ProxyError> {
        Proxies::of_environment(&|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    /// The proxy's host and how it is used.
    fn route(proxies: &Proxies, transport: Transport, uri: &str) -> String {
        match proxies.route(transport, &uri.parse().unwrap()) {
            Route::Direct => "direct".into(),
            Route::Tunnel(proxy) => format!("tunnel {}", proxy.uri.authority().unwrap()),
            Route::Forward(proxy) => format!("forward {}", proxy.uri.authority().unwrap()),
        }
    }

    #[test]
    fn the_environment_is_read_as_go_reads_it() {
        use Transport::{Grpc, Http};
        const BOTH: &[(&str, &str)] = &[("HTTP_PROXY", "http://plain:3128"), ("HTTPS_PROXY", "tls:3129")];
        let with = |no_proxy| [BOTH, &[("NO_PROXY", no_proxy)]].concat();
        type Row<'r> = (Vec<(&'r str, &'r str)>, Transport, &'r str, &'r str);
        let table: Vec<Row<'_>> = vec![
            (vec![], Http, "http://host/v1/traces", "direct"),
            (BOTH.to_vec(), Http, "http://host/v1/traces", "forward plain:3128"),
            (BOTH.to_vec(), Http, "https://host/v1/traces", "tunnel tls:3129"),
            (BOTH.to_vec(), Grpc, "https://host:4317/a/B", "tunnel tls:3129"),
            // grpc-go asks for the proxy of https:// in any case.
            (BOTH.to_vec(), Grpc, "http://host:4317/a/B", "tunnel tls:3129"),
            (vec![("HTTP_PROXY", "plain")], Grpc, "http://host:4317/a/B", "direct"),
            (vec![("http_proxy", "small:1")], Http, "http://host", "forward small:1"),
            (vec![("HTTP_PROXY", ""), ("http_proxy", "small:1")], Http, "http://host", "forward small:1"),
            (vec![("HTTP_PROXY", "a:1"), ("http_proxy", "b:1")], Http, "http://host", "forward a:1"),
            (BOTH.to_vec(), Http, "http://localhost:4318", "direct"),
            (BOTH.to_vec(), Http, "http://127.8.0.1:4318", "direct"),
            (BOTH.to_vec(), Http, "http://[::1]:4318", "direct"),
            (with("*"), Http, "http://host", "direct"),
            (with("other, host"), Http, "http://host", "direct"),
            (with("host"), Http, "http://a.host", "direct"),
            (with(".host"), Http, "http://a.host", "direct"),
            (with("*.host"), Http, "http://a.host", "direct"),
            (with(".host"), Http, "http://host", "forward plain:3128"),
            (with("host"), Http, "http://ghost", "forward plain:3128"),
            (with("HOST"), Http, "http://Host", "direct"),
            (with("host:80"), Http, "http://host", "direct"),
            (with("host:443"), Http, "https://host", "direct"),
            (with("host:81"), Http, "http://host", "forward plain:3128"),
            (with("10.0.0.0/8"), Http, "http://10.1.2.3", "direct"),
            (with("10.0.0.0/8"), Http, "http://11.1.2.3", "forward plain:3128"),
            (with("0.0.0.0/0"), Http, "http://11.1.2.3", "direct"),
            (with("fd00::/8"), Http, "http://[fd12::1]:4318", "direct"),
            (with("fd00::1"), Http, "http://[fd00::1]:4318", "direct"),
            (with("[fd00::1]:4318"), Http, "http://[fd00::1]:4318", "direct"),
            (with("10.1.2.3:4318"), Http, "http://10.1.2.3:4318", "direct"),
            (with("10.1.2.3:4317"), Http, "http://10.1.2.3:4318", "forward plain:3128"),
            // What is no entry is none.
            (with(",.,10.0.0.0/99,:80,host:x"), Http, "http://host", "forward plain:3128"),
        ];
        for (variables, transport, uri, expected) in table {
            let proxies = environment(&variables).unwrap();
            assert_eq!(route(&proxies, transport, uri), expected, "{variables:?} {uri}");
        }
    }

    #[test]
    fn a_configured_proxy_is_for_every_host() {
        let proxies = Proxies::fixed("http://proxy:3128").unwrap();
        assert_eq!(route(&proxies, Transport::Http, "http://127.0.0.1:1"), "forward proxy:3128");
        assert_eq!(route(&proxies, Transport::Http, "https://localhost"), "tunnel proxy:3128");
    }

    #[test]
    fn credentials_are_sent_and_never_shown() {
        let proxy = parse("proxy_url", "http://user:hun%40ter2%@proxy:3128/").unwrap();
        let expected = format!("Basic {}", STANDARD.encode("user:hun@ter2%"));
        assert_eq!(proxy.authorization.as_ref().unwrap().to_str().unwrap(), expected);
        assert_eq!(proxy.uri.to_string(), "http://proxy:3128/");
        let shown = format!("{proxy:?} {:?}", proxy.authorization);
        assert!(!shown.contains("ter2") && !shown.contains(&expected[6..]), "{shown}");
        for wrong in [
            "socks5://user:hunter2@proxy",
            "https://user:hunter2@proxy",
            "hunter2://proxy",
            "http://user:hunter2@",
            "http://user:hunter2@proxy:99999",
            "http://user:hunter2@pro xy",
        ] {
            let error = parse("HTTPS_PROXY", wrong).unwrap_err();
            let shown = format!("{error} {error:?}");
            assert!(shown.contains("HTTPS_PROXY") && !shown.contains("hunter2"), "{shown}");
        }
    }
}
