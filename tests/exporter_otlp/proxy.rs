//! `proxy_url`, against a proxy that writes down what it was asked.

use super::*;
use crate::recording::{OPENED, Proxy};

#[tokio::test]
async fn a_plain_request_is_given_to_the_proxy_with_its_whole_url_and_the_proxys_credentials() {
    let mut backend = Backend::start([]).await;
    let mut proxy = Proxy::start(backend.address, OPENED).await;
    // The name is resolved by the proxy alone.
    let mut rig = Rig::at(Transport::Http, backend.address, |settings| {
        settings.endpoint = "http://backend.invalid:4318".into();
        settings.proxy_url = Some(format!("http://user:hun%40ter2@{}", proxy.address).into());
        settings.headers = vec![("authorization".into(), "Bearer mine".into())];
    });
    rig.send(Signal::Traces, "spans", 1);
    assert_eq!(rig.event().await, Event::Sent(Signal::Traces, 1));
    let head = proxy.heads.recv().await.unwrap().to_lowercase();
    assert!(head.starts_with("post http://backend.invalid:4318/v1/traces http/1.1\r\n"), "{head}");
    // user:hun@ter2
    assert!(head.contains("proxy-authorization: basic dxnlcjpodw5adgvymg==\r\n"), "{head}");
    assert!(head.contains("authorization: bearer mine\r\n"), "{head}");
    assert_eq!(backend.next().await.body, "spans");
}

#[tokio::test]
async fn a_proxy_that_opens_no_tunnel_is_an_outage_and_its_password_stays_out_of_the_words() {
    let backend = Backend::start([]).await;
    for answer in ["HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "garbage\r\n\r\n"] {
        let mut proxy = Proxy::start(backend.address, answer).await;
        let mut rig = Rig::at(Transport::Http, backend.address, |settings| {
            settings.endpoint = "https://backend.invalid".into();
            settings.tls.insecure_skip_verify = true;
            settings.proxy_url = Some(format!("http://user:hunter2@{}", proxy.address).into());
            settings.retry.enabled = false;
        });
        rig.send(Signal::Traces, "spans", 1);
        assert_eq!(rig.event().await, Event::Failed(Signal::Traces, 1, Loss::RetriesExhausted));
        let head = proxy.heads.recv().await.unwrap();
        assert!(head.starts_with("CONNECT backend.invalid:443 HTTP/1.1\r\nHost: backend.invalid:443\r\n"), "{head}");
        assert!(head.contains("Proxy-Authorization: Basic "), "{head}");
    }
}

#[tokio::test]
async fn what_is_no_proxy_is_said_at_the_start_without_its_password() {
    for wrong in ["socks5://user:hunter2@proxy:1080", "https://user:hunter2@proxy", "http://user:hunter2@:1"] {
        let mut settings = Otlp::new(Transport::Http, "http://localhost:4318");
        settings.proxy_url = Some(wrong.into());
        let (sender, _events) = mpsc::channel(1);
        let error = OtlpExporter::start("otlp/test", &settings, Arc::new(Events(sender, Arc::default())))
            .unwrap_err()
            .to_string();
        assert!(error.contains("proxy_url") && !error.contains("hunter2"), "{error}");
    }
}
