//! Both services as AWS's own clients see them. Everything here runs on loopback and ends by itself.

#![expect(
    clippy::unwrap_used,
    reason = "what fails in the helpers of a test fails the test"
)]

mod faults;
mod harness;
mod invoke;
mod isolation;
mod lifecycle;
mod s3;

/// Not a test of anything: this program is its own shim, and takes the role here when it is started
/// for that.
#[test]
fn shim_role() {
    sandgate_local_cloud::run_shim_if_asked();
}
