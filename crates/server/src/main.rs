//! The `sandgate` command.

fn main() {}
