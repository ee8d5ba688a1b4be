//! Lambda on loopback.

mod api;
mod environment;
mod error;
mod events;
mod function;
mod invocation;
mod log;
mod runtime_api;
mod signature;
mod slots;
mod variables;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use crate::config::{Credentials, FunctionConfig, Isolation, LambdaConfig, StartError};
use crate::s3::S3Handle;
use crate::serve::{self, Stop};
use api::Api;
use environment::Host;
use function::{FunctionState, await_end};
use slots::Slots;

/// Least memory of a function, in MiB, as Lambda has it.
const MIN_MEMORY_MB: u32 = 128;

/// Lambda on loopback: the Invoke API for callers, and functions that are real processes.
///
/// Each concurrent invocation has an environment of its own. An environment is started when none
/// is idle, asks for its first event within [`init_timeout`](FunctionConfig::init_timeout), and is
/// then kept for the next invocation, frozen in between. It sees no network but the Runtime API
/// and, if configured, S3. What ends an environment ends all its processes.
///
/// It differs from Lambda in these: `$LATEST` is the same code as the version; an `Event` that was
/// given up goes nowhere but into the log; versions and aliases are fixed; CPU does not scale with
/// memory, of which all processes of an environment together may use the configured size.
///
/// Everything it has started ends when it is dropped, and when the process ends.
#[derive(Debug)]
pub struct LocalLambda {
    api: Arc<Api>,
    address: SocketAddr,
    isolation: Isolation,
    server: JoinHandle<()>,
}

impl LocalLambda {
    /// Starts to serve on the current runtime. Environments are started as they are needed.
    ///
    /// # Errors
    ///
    /// If the configuration cannot work, or the address cannot be listened on.
    pub async fn start(config: LambdaConfig) -> Result<Self, StartError> {
        check(&config)?;
        if config.isolation == Isolation::None {
            tracing::warn!(
                "functions run without isolation: install bubblewrap to keep them from the network \
                 and from this machine's files"
            );
        }
        let host = Arc::new(Host {
            region: config.region.clone(),
            isolation: config.isolation,
            shim: config.shim,
            s3: config.s3,
        });
        let unreserved = Slots::unreserved(config.unreserved_concurrency);
        let functions: HashMap<String, Arc<FunctionState>> = config
            .functions
            .into_iter()
            .map(|function| {
                let slots = function
                    .reserved_concurrency
                    .map_or_else(|| Arc::clone(&unreserved), Slots::reserved);
                let name = function.name.clone();
                let state = FunctionState::new(function, Arc::clone(&host), slots);
                (name, Arc::new(state))
            })
            .collect();
        let (listener, address) = serve::listen(config.listen).await?;
        let api = Arc::new(Api {
            functions,
            credentials: config.credentials,
            region: config.region,
            events: Arc::new(Semaphore::new(config.event_queue)),
            stop: Stop::new(),
        });
        let server = serve::serve(listener, Arc::clone(&api).router(), api.stop.clone());
        Ok(Self {
            api,
            address,
            isolation: config.isolation,
            server,
        })
    }

    /// Where the Invoke API listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL for `endpoint_url` of a client.
    pub fn endpoint_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Whose signatures are accepted.
    pub fn credentials(&self) -> &Credentials {
        &self.api.credentials
    }

    /// How environments are kept apart.
    pub fn isolation(&self) -> Isolation {
        self.isolation
    }

    /// How many environments of a function exist, those that are frozen included.
    pub fn environments(&self, function: &str) -> usize {
        let function = self.api.functions.get(function);
        function.map_or(0, |function| function.environments())
    }

    /// Ends all environments and then the service. Invocations under way fail.
    pub async fn shutdown(mut self) {
        let processes = self.close();
        await_end(processes).await;
        // Only a panic in the server could be told here, and it has been logged.
        let _ = (&mut self.server).await;
    }

    fn close(&self) -> Vec<Arc<crate::process::Process>> {
        self.api.stop.stop();
        let functions = self.api.functions.values();
        functions.flat_map(|function| function.close()).collect()
    }
}

impl Drop for LocalLambda {
    fn drop(&mut self) {
        self.close();
    }
}

/// Names every field that cannot work.
fn check(config: &LambdaConfig) -> Result<(), StartError> {
    let mut problems = Vec::new();
    let mut names = HashMap::new();
    for function in &config.functions {
        check_function(function, &mut problems);
        if names.insert(&function.name, ()).is_some() {
            problems.push(format!("functions: {} is there twice", function.name));
        }
    }
    if config.s3.as_ref().map(S3Handle::port) == Some(environment::RUNTIME_API_PORT) {
        problems.push(format!(
            "s3: port {} is the Runtime API's inside environments; use another",
            environment::RUNTIME_API_PORT
        ));
    }
    if problems.is_empty() {
        Ok(())
    } else {
        Err(StartError::Config(problems.join("; ")))
    }
}

fn check_function(function: &FunctionConfig, problems: &mut Vec<String>) {
    let FunctionConfig {
        name, image_root, ..
    } = function;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    if !(1..=64).contains(&name.len()) || !name.bytes().all(plain) {
        problems.push(format!(
            "name: {name:?} cannot be a function's; use up to 64 letters, digits, - and _"
        ));
    }
    if function.command.is_empty() {
        problems.push(format!("command of {name}: name the entry point"));
    }
    if function.memory_mb < MIN_MEMORY_MB {
        problems.push(format!("memory_mb of {name}: at least {MIN_MEMORY_MB}"));
    }
    if function.timeout.is_zero() || function.init_timeout.is_zero() {
        problems.push(format!("timeout of {name}: must be more than nothing"));
    }
    if let Some(root) = image_root.as_ref().filter(|root| !root.is_dir()) {
        problems.push(format!(
            "image_root of {name}: there is no folder {}",
            root.display()
        ));
    }
}
