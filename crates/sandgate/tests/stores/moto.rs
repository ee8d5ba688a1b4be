//! A second implementation of S3: moto's server, from PyPI.
//!
//! It is generous with signatures and checksums, so nothing about those is shown by it.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::{BUCKET, sdk};

/// Python starts it, on a machine that may be busy.
const START: Duration = Duration::from_secs(120);

/// Listens on a port that the kernel chooses, says which, and ends with its input.
const SERVER: &str = "
import sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address='127.0.0.1', port=0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
";

pub struct Moto {
    pub endpoint: String,
    child: Child,
}

impl Moto {
    /// Starts it, with the bucket.
    pub async fn start() -> Self {
        let python = std::env::var_os("SANDGATE_TEST_PYTHON")
            .expect("no SANDGATE_TEST_PYTHON: start the tests with `cargo xtask test`");
        let mut child = Command::new(python)
            .args(["-c", SERVER])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let said = child.stdout.take().unwrap();
        let mut moto = Self {
            endpoint: String::new(),
            child,
        };
        let port = tokio::task::spawn_blocking(|| {
            let mut line = String::new();
            BufReader::new(said).read_line(&mut line).unwrap();
            line
        });
        let port = tokio::time::timeout(START, port).await.unwrap().unwrap();
        let ended = moto.child.try_wait().unwrap();
        assert!(!port.is_empty(), "moto ended: {ended:?}");
        moto.endpoint = format!("http://127.0.0.1:{}", port.trim());
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
