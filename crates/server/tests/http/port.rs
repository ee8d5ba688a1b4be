//! The service on a real port: connections, timeouts, leaving clients, shutting down.

use std::net::SocketAddr;

use sandgate_server::serve::serve;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::*;

/// Less than heads and shutting down have where a test does not say otherwise.
const UNLESS_SET: Duration = Duration::from_secs(9);

struct OnPort {
    service: Service,
    address: SocketAddr,
    stop: CancellationToken,
    serving: JoinHandle<()>,
}

async fn on_port(change: impl FnOnce(&mut HttpConfig)) -> OnPort {
    let mut config = None;
    let service = Service::with(|http| {
        change(http);
        config = Some(*http);
    })
    .await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let serving = tokio::spawn(serve(
        listener,
        service.app.clone(),
        service.router.clone(),
        config.unwrap(),
        stop.clone(),
    ));
    OnPort {
        service,
        address,
        stop,
        serving,
    }
}

fn request(code: &str) -> String {
    let body = serde_json::json!({"language": "python", "code": code, "cache": "off"}).to_string();
    format!(
        "POST /v1/execute HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
}

async fn answer(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    let read = stream.read_to_end(&mut text);
    tokio::time::timeout(Duration::from_secs(45), read)
        .await
        .expect("no answer in time")
        .ok();
    String::from_utf8(text).unwrap()
}

async fn until(condition: impl Fn() -> bool) {
    let wait = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(45), wait)
        .await
        .expect("it never happens");
}

#[tokio::test]
async fn a_client_that_leaves_frees_its_execution() {
    let on_port = on_port(|_| ()).await;
    let mut stream = TcpStream::connect(on_port.address).await.unwrap();
    let slow = request("sleep 60000");
    stream.write_all(slow.as_bytes()).await.unwrap();
    until(|| on_port.service.executor.running() == 1).await;
    drop(stream);
    until(|| on_port.service.executor.running() == 0).await;
}

#[tokio::test]
async fn a_client_that_dawdles_over_its_head_is_dropped() {
    let on_port = on_port(|http| http.header_timeout = Duration::from_millis(50)).await;
    let mut stream = TcpStream::connect(on_port.address).await.unwrap();
    stream
        .write_all(b"POST /v1/execute HTTP/1.1\r\nhost:")
        .await
        .unwrap();
    let dropped = tokio::time::timeout(UNLESS_SET, answer(&mut stream));
    dropped.await.expect("it has the time of others");
}

#[tokio::test]
async fn connections_are_bounded_and_others_wait() {
    let on_port = on_port(|http| http.max_connections = 1).await;
    let mut first = TcpStream::connect(on_port.address).await.unwrap();
    first
        .write_all(request("sleep 60000").as_bytes())
        .await
        .unwrap();
    until(|| on_port.service.executor.running() == 1).await;
    let mut second = TcpStream::connect(on_port.address).await.unwrap();
    second
        .write_all(request("print hi").as_bytes())
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(on_port.service.executor.started(), 1);
    drop(first);
    let mut byte = [0];
    let read = second.read_exact(&mut byte);
    tokio::time::timeout(Duration::from_secs(45), read)
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn shutting_down_lets_what_runs_finish() {
    let on_port = on_port(|_| ()).await;
    let mut stream = TcpStream::connect(on_port.address).await.unwrap();
    stream
        .write_all(request("sleep 1000\nprint done").as_bytes())
        .await
        .unwrap();
    until(|| on_port.service.executor.running() == 1).await;
    on_port.stop.cancel();
    let answer = answer(&mut stream).await;
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.contains("done"),
        "{answer}"
    );
    on_port.serving.await.unwrap();
    assert!(TcpStream::connect(on_port.address).await.is_err());
}

#[tokio::test]
async fn shutting_down_does_not_wait_for_ever() {
    let on_port = on_port(|http| http.shutdown_timeout = Duration::from_millis(50)).await;
    let mut stream = TcpStream::connect(on_port.address).await.unwrap();
    stream
        .write_all(request("sleep 60000").as_bytes())
        .await
        .unwrap();
    until(|| on_port.service.executor.running() == 1).await;
    on_port.stop.cancel();
    tokio::time::timeout(UNLESS_SET, on_port.serving)
        .await
        .expect("it waits for ever")
        .unwrap();
    assert_eq!(on_port.service.executor.running(), 0);
}
