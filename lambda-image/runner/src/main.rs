//! The entry point of the Lambda image.

fn main() {}
