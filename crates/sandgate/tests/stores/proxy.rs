//! Stands between a client and a server of HTTP, and does to requests what networks and busy
//! services do.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// What happens to a request.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// Nothing.
    None,
    /// An error of S3's.
    Status(u16, &'static str),
    /// The connection ends before the request is answered. Nobody knows whether it arrived.
    Reset,
    /// It arrives, and the connection ends within the answer.
    CutOff,
    /// It takes this long.
    Slow(Duration),
    /// It is never answered.
    Hang,
}

/// The proxy. Ends when dropped.
pub struct Proxy {
    pub endpoint: String,
    pub requests: Arc<AtomicUsize>,
    fault: Arc<Mutex<Fault>>,
    task: tokio::task::JoinHandle<()>,
}

impl Proxy {
    pub async fn start(upstream: SocketAddr, fault: Fault) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let fault = Arc::new(Mutex::new(fault));
        let requests = Arc::new(AtomicUsize::new(0));
        let (current, counter) = (Arc::clone(&fault), Arc::clone(&requests));
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (current, counter) = (Arc::clone(&current), Arc::clone(&counter));
                connections.spawn(async move {
                    // One request to a connection is simplest, and as good as any.
                    let _ = serve(BufReader::new(stream), upstream, &current, &counter).await;
                });
            }
        });
        Self {
            endpoint,
            requests,
            fault,
            task,
        }
    }

    pub fn set(&self, fault: Fault) {
        *self.fault.lock().unwrap() = fault;
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    mut client: BufReader<TcpStream>,
    upstream: SocketAddr,
    fault: &Mutex<Fault>,
    requests: &AtomicUsize,
) -> std::io::Result<()> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if client.read_line(&mut head).await? == 0 {
            return Ok(());
        }
    }
    let header = |name: &str| {
        head.lines().find_map(|line| {
            let (found, value) = line.split_once(": ")?;
            found.eq_ignore_ascii_case(name).then(|| value.to_owned())
        })
    };
    if header("expect").is_some() {
        client
            .get_mut()
            .write_all(b"HTTP/1.1 100 Continue\r\n\r\n")
            .await?;
    }
    let length = header("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    client.read_exact(&mut body).await?;
    requests.fetch_add(1, Ordering::SeqCst);
    let fault = *fault.lock().unwrap();
    let mut client = client.into_inner();
    match fault {
        Fault::None => {}
        Fault::Slow(time) => tokio::time::sleep(time).await,
        Fault::Hang => std::future::pending().await,
        Fault::CutOff => {
            let answer = forward(upstream, &head, &body).await?;
            return client.write_all(&answer[..answer.len().min(40)]).await;
        }
        Fault::Reset => return client.set_zero_linger(),
        Fault::Status(status, code) => {
            let xml = format!("<Error><Code>{code}</Code><Message>of the proxy</Message></Error>");
            let answer = format!(
                "HTTP/1.1 {status} Fault\r\ncontent-type: application/xml\r\n\
                 content-length: {}\r\nconnection: close\r\n\r\n{xml}",
                xml.len()
            );
            return client.write_all(answer.as_bytes()).await;
        }
    }
    let answer = forward(upstream, &head, &body).await?;
    client.write_all(&answer).await
}

/// What `upstream` answers, as it is.
async fn forward(upstream: SocketAddr, head: &str, body: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut server = TcpStream::connect(upstream).await?;
    let (line, rest) = head.split_once("\r\n").unwrap();
    let lines = rest.lines().filter(|line| {
        let name = line.split(':').next().unwrap_or_default();
        !["connection", "expect"].contains(&name.to_ascii_lowercase().as_str())
    });
    let rest = lines.collect::<Vec<_>>().join("\r\n");
    let head = format!("{line}\r\nconnection: close\r\n{rest}\r\n");
    server.write_all(&[head.as_bytes(), body].concat()).await?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer).await?;
    Ok(answer)
}
