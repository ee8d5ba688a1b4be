//! Where this machine's Python is: for the peers here, and for the goals' benchmark.

use std::process::{Command, Stdio};

/// The file of `python3` itself: that name can be a script which looks for one of many versions,
/// and takes longer for it than Python takes to start.
///
/// # Errors
/// What it says, or how it ends, where it cannot be asked.
pub(crate) fn python3() -> Result<String, String> {
    let output = Command::new("python3")
        .args(["-I", "-S", "-c", "import sys; print(sys.executable)"])
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("cannot start python3: {error}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    let path = text(&output.stdout);
    if output.status.success() && !path.is_empty() {
        return Ok(path);
    }
    let complaints = text(&output.stderr);
    Err(if complaints.is_empty() {
        output.status.to_string()
    } else {
        complaints
    })
}
