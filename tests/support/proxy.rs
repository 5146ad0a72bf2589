//! A proxy on loopback that writes down what it was asked, and leads to one backend whatever host that
//! is.
#![allow(unreachable_pub, clippy::unwrap_used, reason = "several test files use it")]

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// What it says when a tunnel stands.
pub const OPENED: &str = "HTTP/1.1 200 Connection established\r\n\r\n";

/// Where it listens, and the heads that it got, one for each request or tunnel.
pub struct Proxy {
    pub address: SocketAddr,
    pub heads: mpsc::Receiver<String>,
}

impl Proxy {
    /// One that says `answer` to CONNECT, and opens a tunnel if that is a 200.
    pub async fn start(backend: SocketAddr, answer: &'static str) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, heads) = mpsc::channel(100);
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                tokio::spawn(lead(client, backend, answer, sender.clone()));
            }
        });
        Proxy { address, heads }
    }
}

async fn lead(mut client: TcpStream, backend: SocketAddr, answer: &'static str, heads: mpsc::Sender<String>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await.unwrap());
    }
    let text = String::from_utf8(head.clone()).unwrap();
    let is_tunnel = text.starts_with("CONNECT ");
    heads.send(text).await.unwrap();
    if is_tunnel {
        client.write_all(answer.as_bytes()).await.unwrap();
        if !answer.starts_with("HTTP/1.1 200") {
            return;
        }
        head.clear();
    }
    let mut server = TcpStream::connect(backend).await.unwrap();
    server.write_all(&head).await.unwrap();
    drop(tokio::io::copy_bidirectional(&mut client, &mut server).await);
}
