//! TCP connections of the exporters, straight or through a proxy. Which of the two is decided in
//! [`super::proxy`]; TLS over them is in [`super::tls`].

use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use http::uri::Scheme;
use hyper_util::client::legacy::connect::HttpConnector;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tower_service::Service;

use super::proxy::{Proxies, Proxy, Route};
use super::settings::Transport;

/// Bounds a connection attempt that outlives the export that began it.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);

/// How much a proxy may say before its tunnel begins.
const LONGEST_HEAD: usize = 16 << 10;

type Failed = Box<dyn Error + Send + Sync>;

/// An open connection.
#[derive(Debug)]
pub(crate) struct Dialed {
    pub(crate) stream: TcpStream,
    /// To a proxy that expects whole URLs.
    pub(crate) forwarded: bool,
}

/// Opens connections.
#[derive(Clone)]
pub(crate) struct Dialer {
    tcp: HttpConnector,
    transport: Transport,
    proxies: Arc<Proxies>,
}

impl Dialer {
    /// A dialer of one exporter.
    pub(crate) fn new(transport: Transport, proxies: Arc<Proxies>) -> Dialer {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        // Without it small requests wait for acknowledgements: 36 k instead of 397 k spans/s.
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(Duration::from_secs(60)));
        tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
        Dialer { tcp, transport, proxies }
    }

    pub(crate) fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failed>> {
        self.tcp.poll_ready(cx).map_err(Into::into)
    }

    /// Connects to the host of `uri`, or to what stands between.
    pub(crate) fn dial(&mut self, uri: Uri) -> Pin<Box<dyn Future<Output = Result<Dialed, Failed>> + Send>> {
        let (proxy, tunnels) = match self.proxies.route(self.transport, &uri) {
            Route::Direct => {
                let connecting = self.tcp.call(uri);
                return Box::pin(async { Ok(Dialed { stream: connecting.await?.into_inner(), forwarded: false }) });
            }
            Route::Tunnel(proxy) => (proxy.clone(), true),
            Route::Forward(proxy) => (proxy.clone(), false),
        };
        let connecting = self.tcp.call(proxy.uri.clone());
        Box::pin(async move {
            let of_proxy =
                |error: Failed| format!("proxy {}: {error}", proxy.uri.authority().map_or("", |a| a.as_str()));
            let mut stream = connecting.await.map_err(|error| of_proxy(error.into()))?.into_inner();
            if tunnels {
                tokio::time::timeout(CONNECT_TIMEOUT, tunnel(&mut stream, &uri, &proxy))
                    .await
                    .map_err(|_| of_proxy("it opened no tunnel in time".into()))?
                    .map_err(of_proxy)?;
            }
            Ok(Dialed { stream, forwarded: !tunnels })
        })
    }
}

/// Asks the proxy for a tunnel (RFC 9110, section 9.3.6).
async fn tunnel(stream: &mut TcpStream, uri: &Uri, proxy: &Proxy) -> Result<(), Failed> {
    let host = uri.host().ok_or("the endpoint has no host")?;
    let usual = if uri.scheme() == Some(&Scheme::HTTPS) { 443 } else { 80 };
    let target = format!("{host}:{}", uri.port_u16().unwrap_or(usual));
    let mut request = format!(
        "CONNECT {target} HTTP/1.1\r\nHost: {target}\r\nUser-Agent: {}\r\n",
        concat!("dragoman/", env!("CARGO_PKG_VERSION"))
    )
    .into_bytes();
    if let Some(authorization) = &proxy.authorization {
        request.extend(b"Proxy-Authorization: ");
        request.extend(authorization.as_bytes());
        request.extend(b"\r\n");
    }
    request.extend(b"\r\n");
    stream.write_all(&request).await?;
    // Byte by byte: what comes after the head belongs to whoever is behind the tunnel.
    let mut head = Vec::with_capacity(256);
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() >= LONGEST_HEAD {
            return Err("its answer to CONNECT has no end".into());
        }
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return Err("it closed the connection instead of an answer to CONNECT".into()),
        }
    }
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let mut words = line.split(|byte| *byte == b' ');
    let (protocol, status) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    // grpc-go takes 200, RFC 9110 any success.
    match protocol.starts_with(b"HTTP/1.") && status.len() == 3 && status.starts_with(b"2") {
        true => Ok(()),
        false => {
            let line = crate::text::escaped(&String::from_utf8_lossy(line), 100);
            Err(format!("it refused CONNECT {target}: {line:?}").into())
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    /// What becomes of a request for a tunnel to `uri` that is answered so, and what was asked.
    async fn asked(uri: &str, proxy_url: &str, answer: &'static [u8]) -> (Result<Vec<u8>, String>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = Proxies::fixed(&proxy_url.replace("HERE", &listener.local_addr().unwrap().to_string())).unwrap();
        let uri: Uri = uri.parse().unwrap();
        let serve = async {
            let (mut client, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(client.read_u8().await.unwrap());
            }
            client.write_all(answer).await.unwrap();
            String::from_utf8(head).unwrap()
        };
        let dial = async {
            let dialed = Dialer::new(Transport::Grpc, Arc::new(proxy)).dial(uri.clone()).await;
            let mut dialed = dialed.map_err(|error| error.to_string())?;
            assert!(!dialed.forwarded);
            let mut rest = Vec::new();
            #[allow(clippy::disallowed_methods, reason = "the test above sends it")]
            dialed.stream.read_to_end(&mut rest).await.unwrap();
            Ok(rest)
        };
        let (head, result) = tokio::join!(serve, dial);
        (result, head)
    }

    #[tokio::test]
    async fn a_tunnel_begins_behind_the_head_of_the_proxys_answer() {
        let opened = b"HTTP/1.1 200 Connection established\r\nvia: x\r\n\r\nfrom behind it";
        let (result, head) = asked("http://backend:4317/a/B", "http://user:secret@HERE", opened).await;
        assert_eq!(result.unwrap(), b"from behind it");
        let agent = concat!("dragoman/", env!("CARGO_PKG_VERSION"));
        let expected = format!(
            "CONNECT backend:4317 HTTP/1.1\r\nHost: backend:4317\r\nUser-Agent: {agent}\r\nProxy-Authorization: Basic dXNlcjpzZWNyZXQ=\r\n\r\n"
        );
        assert_eq!(head, expected);
        let (_, head) = asked("https://[::1]/a/B", "HERE", b"HTTP/1.0 200 OK\r\n\r\n").await;
        assert!(head.starts_with("CONNECT [::1]:443 HTTP/1.1\r\n"), "{head}");
    }

    #[tokio::test]
    async fn a_proxy_that_refuses_is_named_without_its_password() {
        let long: &'static [u8] = Box::leak(vec![b'x'; LONGEST_HEAD + 1].into_boxed_slice());
        let table: [(&'static [u8], &str); 5] = [
            (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "refused CONNECT backend:443: \"HTTP/1.1 407"),
            (b"HTTP/1.1 302 Found\r\n\r\n", "refused CONNECT"),
            (b"220 smtp\r\n\r\n", "refused CONNECT"),
            (b"HTTP/1.1 200 OK\r\n", "closed the connection"),
            (long, "has no end"),
        ];
        for (answer, words) in table {
            let (result, _) = asked("https://backend/a/B", "http://user:hunter2@HERE", answer).await;
            let error = result.unwrap_err();
            assert!(error.starts_with("proxy 127.0.0.1:") && error.contains(words), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
