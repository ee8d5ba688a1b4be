//! Guesses at what Python code does, by the names it uses.

use crate::analysis::Hints;

/// The names seen so far.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// What is certain already.
    pub(super) hints: Hints,
    threading: bool,
    thread: bool,
    os: bool,
    program: bool,
}

impl Names {
    /// A module is imported.
    pub(super) fn module(&mut self, module: &str) {
        let root = module.split('.').next().unwrap_or(module);
        match root {
            "threading" | "_thread" | "concurrent" => self.threading = true,
            "multiprocessing" if module != "multiprocessing.dummy" => {
                self.threading = true;
                self.hints.multiprocessing = true;
            }
            "joblib" => self.hints.multiprocessing = true,
            "asyncio" => {
                self.threading = true;
                self.hints.asyncio = true;
            }
            "trio" | "anyio" | "uvloop" => self.hints.asyncio = true,
            "os" => self.os = true,
            "subprocess" | "pty" | "pexpect" | "sh" => self.hints.subprocess = true,
            "socket" | "ssl" | "socketserver" | "ftplib" | "smtplib" | "imaplib" | "poplib"
            | "telnetlib" | "xmlrpc" | "requests" | "httpx" | "aiohttp" | "urllib3"
            | "websockets" | "websocket" | "paramiko" | "boto3" | "flask" | "fastapi"
            | "uvicorn" => {
                self.hints.sockets = true;
            }
            "urllib" if module == "urllib.request" => self.hints.sockets = true,
            "http" if matches!(module, "http.client" | "http.server") => self.hints.sockets = true,
            _ => {}
        }
    }

    /// A name, or an attribute's.
    pub(super) fn used(&mut self, name: &str) {
        match name {
            "Thread" | "Timer" | "ThreadPoolExecutor" | "ThreadPool" | "start_new_thread"
            | "to_thread" | "run_in_executor" => self.thread = true,
            "ProcessPoolExecutor" => self.hints.multiprocessing = true,
            "system" | "popen" | "fork" | "execv" | "execvp" | "execl" | "execlp" | "spawnl"
            | "spawnv" | "posix_spawn" => self.program = true,
            "urlopen" | "urlretrieve" => self.hints.sockets = true,
            _ => {}
        }
    }

    pub(super) fn hints(&self) -> Hints {
        let mut hints = self.hints;
        hints.threads |= self.threading && self.thread;
        hints.subprocess |= self.os && self.program;
        hints
    }
}
