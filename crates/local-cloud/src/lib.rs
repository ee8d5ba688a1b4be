//! S3 and Lambda on loopback, for development and tests without an AWS account.
