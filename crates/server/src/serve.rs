//! The service on a port: accepting, limits on connections, shutting down.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use sandgate::Router;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::HttpConfig;

/// A client that takes nothing of its answer for so long is gone.
const WRITE_PATIENCE: Duration = Duration::from_secs(60);
/// How long to wait when the system has no descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Most bytes of a request's head, and of what is buffered for one connection.
const HEAD_BYTES: usize = 64 << 10;

/// Serves `app` on `listener` until `stop`. Then it accepts nothing more, lets what runs come to
/// its end within `config.shutdown_timeout`, and delivers outputs within as much again.
pub async fn serve(
    listener: TcpListener,
    app: axum::Router,
    router: Router,
    config: HttpConfig,
    stop: CancellationToken,
) {
    let connections = TaskTracker::new();
    let places = Arc::new(Semaphore::new(
        config.max_connections.min(Semaphore::MAX_PERMITS),
    ));
    let abandon = CancellationToken::new();
    let service = TowerToHyperService::new(app);
    while let Some((stream, place)) = accept(&listener, &places, &stop).await {
        let (service, stop, abandon) = (service.clone(), stop.clone(), abandon.clone());
        connections.spawn(async move {
            tokio::select! {
                () = connection(stream, service, config, stop) => {}
                // Dropping a connection cancels its execution.
                () = abandon.cancelled() => {}
            }
            drop(place);
        });
    }
    drop(listener);
    connections.close();
    tracing::info!(connections = connections.len(), "shutting down");
    if tokio::time::timeout(config.shutdown_timeout, connections.wait())
        .await
        .is_err()
    {
        tracing::warn!(
            connections = connections.len(),
            "what still runs is cancelled"
        );
        abandon.cancel();
        connections.wait().await;
    }
    router.shutdown(config.shutdown_timeout).await;
    tracing::info!("shut down");
}

/// The next connection, with a place for it; none when it is time to stop.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
    stop: &CancellationToken,
) -> Option<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let next = async {
        let place = Arc::clone(places).acquire_owned().await.ok()?;
        loop {
            match listener.accept().await {
                Ok((stream, _)) => return Some((stream, place)),
                Err(error) if is_of_the_client(&error) => {}
                Err(error) => {
                    tracing::error!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    };
    tokio::select! {
        biased;
        () = stop.cancelled() => None,
        accepted = next => accepted,
    }
}

/// Whether the client went away before it was accepted.
fn is_of_the_client(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
    )
}

async fn connection(
    stream: TcpStream,
    service: TowerToHyperService<axum::Router>,
    config: HttpConfig,
    stop: CancellationToken,
) {
    // Small answers must not wait for acknowledgements of earlier ones.
    let quick = stream.set_nodelay(true);
    let patience = u32::try_from(WRITE_PATIENCE.as_millis()).unwrap_or(u32::MAX);
    let bounded = rustix::net::sockopt::set_tcp_user_timeout(&stream, patience);
    if let Err(error) = quick.and(bounded.map_err(io::Error::from)) {
        tracing::debug!(%error, "a connection's options cannot be set");
    }
    let mut connection = pin!(
        hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(config.header_timeout)
            .max_buf_size(HEAD_BYTES)
            .serve_connection(TokioIo::new(stream), service)
    );
    let served = tokio::select! {
        served = connection.as_mut() => served,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = served {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// Cancelled when the process is asked to end.
///
/// # Errors
/// When the system does not let it listen for signals.
pub fn stop_on_signals() -> io::Result<CancellationToken> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut terminate, mut interrupt) = (
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    );
    let stop = CancellationToken::new();
    let signalled = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        signalled.cancel();
    });
    Ok(stop)
}
