//! A second implementation of S3: moto's server, from PyPI.
//!
//! It is generous with signatures and checksums, so nothing about those is shown by it.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::{BUCKET, sdk};

/// Python starts it, on a machine that may be busy.
const START: Duration = Duration::from_secs(120);

pub struct Moto {
    pub endpoint: String,
    child: Child,
}

impl Moto {
    /// Starts it, with the bucket.
    pub async fn start() -> Self {
        let python = std::env::var_os("SANDGATE_TEST_PYTHON")
            .expect("no SANDGATE_TEST_PYTHON: start the tests with `cargo xtask test`");
        // Free at this moment, and the kernel hands ports out in turn.
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let child = Command::new(python)
            .args(["-m", "moto.server", "-H", "127.0.0.1", "-p"])
            .arg(port.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut moto = Self {
            endpoint: format!("http://127.0.0.1:{port}"),
            child,
        };
        let sdk = sdk(&moto.endpoint, "any", "thing").force_path_style(true);
        let client = aws_sdk_s3::Client::from_conf(sdk.build());
        let started = Instant::now();
        while let Err(error) = client.create_bucket().bucket(BUCKET).send().await {
            let ended = moto.child.try_wait().unwrap();
            assert!(ended.is_none(), "moto ended: {ended:?}");
            assert!(started.elapsed() < START, "moto does not answer: {error:?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        moto
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
