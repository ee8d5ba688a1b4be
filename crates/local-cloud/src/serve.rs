//! Listening: one way to serve HTTP for all three services, and to end it.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::config::StartError;

/// How long a connection may still be busy once the service is told to end.
const GRACE: Duration = Duration::from_secs(2);

/// Tells every server that was given it to stop taking connections.
#[derive(Clone, Debug)]
pub(crate) struct Stop(watch::Sender<bool>);

impl Stop {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(false))
    }

    pub(crate) fn stop(&self) {
        self.0.send_replace(true);
    }

    pub(crate) async fn stopped(&self) {
        // The sender lives in `self`, so this cannot fail before it is true.
        let _ = self.0.subscribe().wait_for(|stopped| *stopped).await;
    }
}

/// Takes an address.
pub(crate) async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let failed = |source| StartError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

/// Serves until told to stop; connections that are still busy then end a little later.
pub(crate) fn serve(listener: TcpListener, router: Router, stop: Stop) -> JoinHandle<()> {
    // Answers are written in pieces; without this each waits for the peer's delayed acknowledgement.
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "cannot switch a socket's write delay off");
        }
    });
    tokio::spawn(async move {
        let graceful = {
            let stop = stop.clone();
            axum::serve(listener, router)
                .with_graceful_shutdown(async move { stop.stopped().await })
        };
        let overdue = async {
            stop.stopped().await;
            tokio::time::sleep(GRACE).await;
        };
        tokio::select! {
            result = graceful => {
                if let Err(error) = result {
                    tracing::warn!(%error, "a server of the local cloud ended");
                }
            }
            () = overdue => {}
        }
    })
}
