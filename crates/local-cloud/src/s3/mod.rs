//! S3 on loopback.

mod keys;
mod listing;
mod previous;
mod store;

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::time::Instant;

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use s3s::auth::SimpleAuth;
use s3s::s3_error;
use s3s::service::{S3Service, S3ServiceBuilder};
use tokio::task::JoinHandle;

use crate::config::{Credentials, S3Config, StartError};
use crate::serve::{self, Stop};
use store::Store;

/// S3 on loopback: buckets are folders, requests must be signed.
///
/// It understands what the product uses: objects with ranges, conditions and checksums, listings,
/// copies, multipart uploads and presigned URLs. It differs from S3 where a file system does: `a`
/// and `a/b` cannot both be keys, and parts of a key must not be empty, `.` or `..`. A listing reads
/// the whole bucket. Object tags are not kept.
///
/// It ends when dropped.
#[derive(Debug)]
pub struct LocalS3 {
    handle: S3Handle,
    credentials: Credentials,
    server: JoinHandle<()>,
}

impl LocalS3 {
    /// Makes the buckets and starts to serve them on the current runtime.
    ///
    /// # Errors
    ///
    /// If the folder or the address cannot be used, or a bucket's name is not one.
    pub async fn start(config: S3Config) -> Result<Self, StartError> {
        for bucket in &config.buckets {
            if !s3s::path::check_bucket_name(bucket) {
                return Err(StartError::Config(format!(
                    "buckets: {bucket:?} cannot be a bucket's name; use 3 to 63 lower-case \
                     letters, digits, hyphens and dots"
                )));
            }
            let path = config.root.join(bucket);
            fs::create_dir_all(&path).map_err(|source| StartError::Folder { path, source })?;
        }
        let root = config
            .root
            .canonicalize()
            .map_err(|source| StartError::Folder {
                path: config.root.clone(),
                source,
            })?;
        let store = Store::new(&root).map_err(|error| StartError::Folder {
            path: root.clone(),
            source: std::io::Error::other(format!("{error:?}")),
        })?;
        let mut builder = S3ServiceBuilder::new(store);
        builder.set_auth(SimpleAuth::from_single(
            config.credentials.access_key_id.clone(),
            config.credentials.secret_access_key.clone(),
        ));
        let service = builder.build();
        let max_body = config.max_object_bytes;
        let router = Router::new().fallback(move |request: Request| {
            let service = service.clone();
            async move { logged(&service, request, max_body).await }
        });

        let (listener, address) = serve::listen(config.listen).await?;
        let stop = Stop::new();
        let server = serve::serve(listener, router.clone(), stop.clone());
        Ok(Self {
            handle: S3Handle {
                router,
                address,
                stop,
            },
            credentials: config.credentials,
            server,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.handle.address
    }

    /// The URL for `endpoint_url` of a client, with `force_path_style`.
    pub fn endpoint_url(&self) -> String {
        format!("http://{}", self.handle.address)
    }

    /// Whose signatures are accepted.
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// What [`LambdaConfig::s3`](crate::LambdaConfig::s3) takes.
    pub fn handle(&self) -> S3Handle {
        self.handle.clone()
    }

    /// Ends it. Requests under way have two seconds to finish.
    pub async fn shutdown(mut self) {
        self.handle.stop.stop();
        // Only a panic in the server could be told here, and it has been logged.
        let _ = (&mut self.server).await;
    }
}

impl Drop for LocalS3 {
    fn drop(&mut self) {
        self.handle.stop.stop();
    }
}

/// The running service, to be offered on further sockets.
#[derive(Clone, Debug)]
pub struct S3Handle {
    router: Router,
    address: SocketAddr,
    stop: Stop,
}

impl S3Handle {
    /// The port that URLs of the service name.
    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// Offers the service on a socket that belongs to another network namespace, until `stop`.
    pub(crate) fn serve_on(&self, listener: TcpListener, stop: Stop) -> std::io::Result<()> {
        listener.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        serve::serve(listener, self.router.clone(), stop);
        Ok(())
    }
}

/// Answers a request and writes the access log. The query is left out: it may carry a signature.
async fn logged(service: &S3Service, request: Request, max_body: u64) -> Response {
    let started = Instant::now();
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let length = content_length(&request);
    let response = answer(service, request, max_body).await;
    tracing::info!(
        %method,
        path,
        request_bytes = length,
        status = response.status().as_u16(),
        response_bytes = response.body().size_hint().exact(),
        elapsed_us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX),
        "s3 request"
    );
    response
}

fn content_length(request: &Request) -> Option<u64> {
    let value = request.headers().get(header::CONTENT_LENGTH)?;
    value.to_str().ok()?.parse().ok()
}

async fn answer(service: &S3Service, request: Request, max_body: u64) -> Response {
    // The server reads no more than the length announced, so this bounds every body.
    let refusal = match content_length(&request) {
        Some(length) if length > max_body => Some(s3_error!(
            EntityTooLarge,
            "the body has {length} bytes, the limit is {max_body}"
        )),
        None if request.headers().contains_key(header::TRANSFER_ENCODING) => Some(s3_error!(
            MissingContentLength,
            "the length of the body must be given"
        )),
        Some(_) | None => None,
    };
    let result = match refusal {
        Some(error) => error.to_http_response().map_err(|error| error.to_string()),
        None => service
            .call(request.map(s3s::Body::http_body_unsync))
            .await
            .map_err(|error| format!("{error:?}")),
    };
    result.map_or_else(
        |error| {
            tracing::error!(error, "the s3 service failed");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        },
        |response| response.map(Body::new),
    )
}
