//! The HTTP service over an executor that plays what the code says: the contract, byte by byte.
//! Real guests are behind it in the workspace's own tests.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]

mod contract;
mod files;
mod golden;
mod port;
mod routing;
mod streaming;
mod waiting;

#[path = "../../../sandgate/src/testing.rs"]
#[expect(dead_code, reason = "the router's own tests use more of it")]
mod testing;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use sandgate::Router;
use sandgate_server::config::{Config, HttpConfig};
use sandgate_server::http::app;
use serde_json::Value;
use testing::TestExecutor;
use tokio::task::JoinHandle;
use tower::ServiceExt as _;

/// A service in process.
struct Service {
    app: axum::Router,
    router: Router,
    executor: Arc<TestExecutor>,
}

impl Service {
    async fn new() -> Self {
        Self::with(|_| ()).await
    }

    async fn with(change: impl FnOnce(&mut HttpConfig)) -> Self {
        Self::over(None, change).await
    }

    /// With a Lambda beside the sandbox.
    async fn with_lambda() -> (Self, Arc<TestExecutor>) {
        let lambda = Arc::new(TestExecutor::lambda());
        let service = Self::over(Some(Arc::clone(&lambda)), |_| ()).await;
        (service, lambda)
    }

    /// With a Lambda that has not said yet what it has.
    async fn with_silent_lambda(change: impl FnOnce(&mut HttpConfig)) -> (Self, Arc<TestExecutor>) {
        let lambda = Arc::new(TestExecutor::silent_lambda());
        let service = Self::over(Some(Arc::clone(&lambda)), change).await;
        (service, lambda)
    }

    async fn over(lambda: Option<Arc<TestExecutor>>, change: impl FnOnce(&mut HttpConfig)) -> Self {
        let environment = [("HOME".to_owned(), "/nowhere".to_owned())].into();
        let mut config = Config::load(&[], None, &environment).unwrap();
        change(&mut config.http);
        let executor = Arc::new(TestExecutor::default());
        let mut builder = Router::builder()
            .executor(Arc::clone(&executor) as _)
            .url_base(sandgate_server::http::EXECUTIONS);
        if let Some(lambda) = lambda {
            builder = builder.executor(lambda as _);
        }
        let router = builder.build().await.unwrap();
        let app = app(router.clone(), config.http, Duration::from_secs(5));
        Self {
            app,
            router,
            executor,
        }
    }

    async fn send(&self, request: Request<Body>) -> Response<Body> {
        self.app.clone().oneshot(request).await.unwrap()
    }

    async fn get(&self, path: &str) -> Response<Body> {
        let request = Request::get(path).body(Body::empty()).unwrap();
        self.send(request).await
    }

    async fn execute(&self, body: impl Into<Body>) -> Response<Body> {
        self.post("/v1/execute", body).await
    }

    async fn post(&self, path: &str, body: impl Into<Body>) -> Response<Body> {
        let request = Request::post(path)
            .header("content-type", "application/json")
            .body(body.into())
            .unwrap();
        self.send(request).await
    }

    /// Sends a request that nobody has to wait for here.
    fn ask(&self, path: &str, accept: &str, body: &Value) -> JoinHandle<Response<Body>> {
        let request = Request::post(path)
            .header("content-type", "application/json")
            .header("accept", accept)
            .body(Body::from(body.to_string()))
            .unwrap();
        let app = self.app.clone();
        tokio::spawn(async move { app.oneshot(request).await.unwrap() })
    }

    async fn run(&self, code: &str) -> Value {
        let body = serde_json::json!({"language": "python", "code": code});
        let response = self.execute(body.to_string()).await;
        assert_eq!(response.status(), StatusCode::OK);
        json(response).await
    }
}

async fn text(response: Response<Body>) -> String {
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.into()).unwrap()
}

async fn json(response: Response<Body>) -> Value {
    serde_json::from_str(&text(response).await).unwrap()
}

fn header<'a>(response: &'a Response<Body>, name: &str) -> &'a str {
    response
        .headers()
        .get(name)
        .map_or("", |value| value.to_str().unwrap())
}
