//! Requests as bytes, over HTTP/1.1 by hand and over HTTP/2: any head, any body, any end.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Limited};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::client::{Answer, http2_sender};

/// A body on its way.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sending {
    /// The Content-Length; in chunks if there is none.
    pub(crate) announced: Option<u64>,
    /// What is sent.
    pub(crate) chunks: VecDeque<Bytes>,
    /// Nothing more comes, and no end either.
    pub(crate) hangs: bool,
}

impl Sending {
    pub(crate) fn whole(body: impl Into<Bytes>) -> Sending {
        let body = body.into();
        Sending { announced: Some(body.len() as u64), chunks: [body].into(), hangs: false }
    }
}

impl Body for Sending {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.chunks.pop_front() {
            Some(chunk) => Poll::Ready(Some(Ok(Frame::data(chunk)))),
            None if self.hangs => Poll::Pending,
            None => Poll::Ready(None),
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.announced.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

/// A request's head and body.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Sending,
}

/// Over HTTP/1.1, byte by byte; `None` if the connection ends without an answer.
pub(crate) async fn http1(address: SocketAddr, asked: Asked) -> Option<Answer> {
    let mut head = format!("{} {} HTTP/1.1\r\nhost: {address}\r\n", asked.method, asked.path);
    for (name, value) in &asked.headers {
        head += &format!("{name}: {value}\r\n");
    }
    head += &match asked.body.announced {
        Some(length) => format!("content-length: {length}\r\n\r\n"),
        None => "transfer-encoding: chunked\r\n\r\n".to_owned(),
    };
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut reader, mut writer) = stream.into_split();
    let ends_early = asked.body.announced.is_some_and(|announced| {
        !asked.body.hangs && announced > asked.body.chunks.iter().map(|chunk| chunk.len() as u64).sum()
    });
    let write = async move {
        writer.write_all(head.as_bytes()).await?;
        for chunk in &asked.body.chunks {
            if asked.body.announced.is_none() {
                writer.write_all(format!("{:x}\r\n", chunk.len()).as_bytes()).await?;
            }
            writer.write_all(chunk).await?;
            if asked.body.announced.is_none() {
                writer.write_all(b"\r\n").await?;
            }
        }
        if asked.body.announced.is_none() && !asked.body.hangs {
            writer.write_all(b"0\r\n\r\n").await?;
        }
        if ends_early {
            writer.shutdown().await?;
        }
        std::io::Result::Ok(writer)
    };
    let read = async move {
        let mut all = Vec::new();
        let end = loop {
            if let Some(end) = all.windows(4).position(|window| window == b"\r\n\r\n") {
                break end;
            }
            // A reset is an end as well.
            if reader.read_buf(&mut all).await.unwrap_or(0) == 0 {
                return None;
            }
        };
        let head = std::str::from_utf8(&all[..end]).unwrap();
        let mut lines = head.split("\r\n");
        let status: StatusCode = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let mut headers = HeaderMap::new();
        for line in lines {
            let (name, value) = line.split_once(':').unwrap();
            headers.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value.trim()).unwrap());
        }
        let length: usize = headers.get("content-length").map_or(0, |length| length.to_str().unwrap().parse().unwrap());
        let mut body = all.split_off(end + 4);
        while body.len() < length {
            assert!(reader.read_buf(&mut body).await.unwrap() > 0, "an answer breaks off");
        }
        assert_eq!(body.len(), length, "more than an answer");
        Some(Answer { status, headers, body: body.into(), trailers: HeaderMap::new() })
    };
    // The writer is kept until the answer is there: a half-closed connection is another request.
    let (_writer, answer) = tokio::join!(write, read);
    answer
}

/// Over HTTP/2; `None` if the stream ends without an answer.
pub(crate) async fn http2(address: SocketAddr, asked: Asked) -> Option<Answer> {
    let mut sender = http2_sender::<Sending>(address).await;
    let mut request = Request::builder().method(asked.method).uri(format!("http://{address}{}", asked.path));
    for (name, value) in &asked.headers {
        request = request.header(*name, value);
    }
    let response = sender.send_request(request.body(asked.body).unwrap()).await.ok()?;
    let (head, body) = response.into_parts();
    #[allow(clippy::disallowed_methods, reason = "limited")]
    let body = Limited::new(body, 1 << 20).collect().await.unwrap();
    let trailers = body.trailers().cloned().unwrap_or_default();
    Some(Answer { status: head.status, headers: head.headers, body: body.to_bytes(), trailers })
}
