//! Server-sent events.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::Frame;
use tokio::sync::mpsc;

use super::*;

/// A body whose chunks come from the sender.
pub(super) fn endless_body() -> (mpsc::Sender<Bytes>, Body) {
    struct Chunks(mpsc::Receiver<Bytes>);
    impl hyper::body::Body for Chunks {
        type Data = Bytes;
        type Error = Infallible;
        fn poll_frame(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            self.0
                .poll_recv(cx)
                .map(|chunk| chunk.map(|c| Ok(Frame::data(c))))
        }
    }
    let (sender, receiver) = mpsc::channel(1);
    (sender, Body::new(Chunks(receiver)))
}

pub(super) async fn stream(service: &Service, code: &str) -> Response<Body> {
    let body = serde_json::json!({"language": "python", "code": code});
    let request = Request::post("/v1/execute")
        .header("content-type", "application/json")
        .header("accept", "text/event-stream")
        .body(Body::from(body.to_string()));
    service.send(request.unwrap()).await
}

pub(super) fn events(text: &str) -> Vec<(String, Value)> {
    text.split_terminator("\n\n")
        .map(|event| {
            let (name, data) = event.split_once('\n').unwrap();
            let data = data.strip_prefix("data: ").unwrap();
            (
                name.strip_prefix("event: ").unwrap().to_owned(),
                serde_json::from_str(data).unwrap(),
            )
        })
        .collect()
}

#[tokio::test]
async fn output_comes_while_it_is_printed_then_the_result() {
    let service = Service::new().await;
    let response = stream(&service, "print one\nsleep 1000\nprint two").await;
    assert_eq!(header(&response, "content-type"), "text/event-stream");
    let mut body = response.into_body();
    let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(
        events(std::str::from_utf8(&first).unwrap()),
        [("stdout".to_owned(), serde_json::json!({"text": "one"}))]
    );
    let rest = body.collect().await.unwrap().to_bytes();
    let rest = events(std::str::from_utf8(&rest).unwrap());
    let names: Vec<_> = rest.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["stdout", "result", "end"]);
    assert_eq!(rest[1].1["stdout"], "onetwo");
}

#[tokio::test]
async fn a_hit_streams_as_well() {
    let service = Service::new().await;
    service.run("print hi").await;
    let streamed = events(&text(stream(&service, "print hi").await).await);
    assert_eq!(streamed[0].1["text"], "hi");
    assert_eq!(streamed[1].1["cache"]["status"], "hit");
}

#[tokio::test]
async fn failures_of_ours_are_problems_not_streams() {
    let service = Service::new().await;
    let response = stream(&service, "fail").await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(
        header(&response, "content-type"),
        "application/problem+json"
    );
}

#[tokio::test]
async fn a_client_that_leaves_cancels_the_execution() {
    let service = Service::new().await;
    let response = stream(&service, "print hi\nsleep 60000").await;
    drop(response);
    let wait = async {
        // The test executor counts those that came to an end, cancelled ones included.
        while service.executor.finished() == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(45), wait)
        .await
        .unwrap();
}
